/** The web app on a stage, for tests of a file: what they share, and what people do in it. */
import type { FrameLocator, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest'
import type { RelayOptions } from '../../server/src/index.ts'
import { STEP, WebStage } from './web-people.ts'

/**
 * The stage of the tests beside it, in a `describe`: started before them all and closed after them. Everybody leaves
 * after each, and no page has complained.
 * @param options.relay options of the relay
 * @param options.stay nobody leaves before the end: the tests go on with the same people
 */
export function onWebStage(options: { stay?: boolean; relay?: Partial<RelayOptions> } = {}): WebStage {
  vi.setConfig({ testTimeout: 4 * STEP, hookTimeout: 4 * STEP })
  const stage = new WebStage(options.relay)
  beforeAll(() => stage.start())
  afterEach(async () => {
    if (!options.stay) await stage.everybodyLeaves()
    expect(stage.complaints.splice(0)).toEqual([])
  })
  afterAll(() => stage.close())
  return stage
}

/** As long as a step in a browser may take. */
export const eventually = <T>(read: () => T) => expect.poll(read, { timeout: STEP })

type Where = Page | FrameLocator

export const box = (page: Where): Locator => page.getByRole('textbox', { name: 'Message' })

export async function say(page: Where, text: string): Promise<void> {
  await box(page).fill(text)
  await box(page).press('Enter')
}

/** By what it says itself, not by what it answers. */
export const message = (page: Where, text: string): Locator => page.getByRole('article', { name: text })

export const isOffline = (page: Where): Promise<void> => page.locator('.pill.off:visible').waitFor()

/** Turns the network off, or on, by the app's own switch. */
export const toggle = (page: Where): Promise<void> => page.locator('.pill .switch-track:visible').click()

/** Opens a conversation of the list. */
export const open = (page: Where, name: RegExp): Promise<void> => page.getByRole('option', { name }).click()

export async function begin(page: Where, name: string, people = ''): Promise<void> {
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByRole('textbox', { name: 'People' }).fill(people)
  await page.getByRole('button', { name: 'Create' }).click()
  await page.getByRole('heading', { name, exact: true }).waitFor()
  // the dialog has closed, and one may write
  await page.locator('textarea:focus').waitFor()
}

/** Something that a message's menu offers. */
export async function choose(page: Where, text: string, action: string): Promise<void> {
  await message(page, text).hover()
  await message(page, text).getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: action }).click()
}

/** Waits until this has the keyboard. */
export const hasFocus = (page: Page, wanted: Locator): Promise<void> =>
  wanted.and(page.locator(':focus')).waitFor()
