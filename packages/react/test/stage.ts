/** A document to render into, and React that has shown everything that was told. */
import { Window } from 'happy-dom'
import { act, createElement, type ReactNode, StrictMode } from 'react'
import type { Root } from 'react-dom/client'

const window = new Window()
Object.assign(globalThis, {
  window,
  document: window.document,
  HTMLElement: window.HTMLElement,
  IS_REACT_ACT_ENVIRONMENT: true,
})

const roots: Root[] = []

export interface Shown {
  /** What is on the page. */
  text(): string
  render(element: ReactNode): Promise<void>
  unmount(): Promise<void>
}

/** Renders, in strict mode as apps are developed in. */
export async function show(element: ReactNode): Promise<Shown> {
  const { createRoot } = await import('react-dom/client')
  const container = document.createElement('div')
  const root = createRoot(container)
  roots.push(root)
  const render = (one: ReactNode) => act(async () => root.render(createElement(StrictMode, null, one)))
  await render(element)
  return { text: () => container.textContent ?? '', render, unmount: () => act(async () => root.unmount()) }
}

export async function clear(): Promise<void> {
  await act(async () => {
    for (const root of roots.splice(0)) root.unmount()
  })
}

/** Resolves when it holds, with all that is told meanwhile rendered. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('It never came to hold')
    await act(() => new Promise((resolve) => setTimeout(resolve, 5)))
  }
}
