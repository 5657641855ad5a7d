import { Component, type ReactNode, Suspense } from 'react'
import { problemText } from '../lib/problem.ts'
import { Problem } from './problem.tsx'

/**
 * A part of the app that is fetched when it is opened. Where that fails, as on a first visit whose network went
 * before everything was kept, it says so in its own place, and the rest of the screen stays.
 */
export class Part extends Component<{ children: ReactNode }, { problem: unknown }> {
  override state = { problem: null }

  static getDerivedStateFromError(problem: unknown) {
    return { problem }
  }

  override render() {
    const { problem } = this.state
    if (problem === null) return <Suspense>{this.props.children}</Suspense>
    return (
      <Problem
        text={`This can’t be shown now: ${problemText(problem)}. Load the page again when there is a network.`}
      />
    )
  }
}
