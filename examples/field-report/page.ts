/** The form, and what it shows. */
import type { HeldOperation } from '@confab/client'
import { observationFrom, totalsOf } from './observation.ts'
import { type Entry, Report } from './report.ts'

const at = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind
const make = (tag: string, ...inside: (string | Node)[]) => {
  const element = document.createElement(tag)
  element.append(...inside)
  return element
}
const button = (label: string, press: () => unknown) => {
  const made = make('button', label) as HTMLButtonElement
  made.type = 'button'
  made.onclick = () => void press()
  return made
}

let report: Report | null = null
/** Whose correction the form is. */
let corrected: Entry | null = null

async function signIn(identity: string): Promise<void> {
  try {
    report = await Report.open(identity, location.hash.slice(1), show)
  } catch (error) {
    return say(error)
  }
  sessionStorage.identity = identity
  at('sign-in').hidden = true
  at('report').hidden = false
  say('')
  show()
  void report.client.persistStorage()
}

at('sign-in').onsubmit = (event) => {
  event.preventDefault()
  void signIn(String(new FormData(at<HTMLFormElement>('sign-in')).get('identity')).trim())
}

at('observation').onsubmit = async (event) => {
  event.preventDefault()
  const form = at<HTMLFormElement>('observation')
  try {
    const observation = observationFrom(new FormData(form))
    const entry = corrected
    correct(null)
    form.reset()
    await (entry ? report?.correct(entry.message, observation) : report?.add(observation))
    say('')
  } catch (error) {
    say(error)
  }
}

at('no-signal').onchange = async () => {
  const { checked } = at<HTMLInputElement>('no-signal')
  await (checked ? report?.client.goOffline() : report?.client.goOnline())
}

at('cancel').onclick = () => {
  correct(null)
  at<HTMLFormElement>('observation').reset()
}

function correct(entry: Entry | null): void {
  corrected = entry
  at('cancel').hidden = entry === null
  at('save').textContent = entry ? 'Correct' : 'Report'
  const { elements } = at<HTMLFormElement>('observation')
  for (const [name, value] of Object.entries(entry?.observation ?? {}))
    (elements.namedItem(name) as HTMLInputElement).value = String(value)
}

function show(): void {
  if (!report) return
  const { entries, waiting, held, client } = report
  at('signal').textContent = `${client.connectionState}, ${waiting} to be sent`
  at('entries').replaceChildren(...entries.map(row))
  const totals = totalsOf(entries.map(({ observation }) => observation))
  at('totals').replaceChildren(...[...totals].map(([species, count]) => make('li', `${species}: ${count}`)))
  at('held').replaceChildren(...held.map(refused))
}

function row(entry: Entry): HTMLElement {
  const { message, observation } = entry
  const { place, species, count, note } = observation
  const state = message.status === 'pending' ? 'waits' : ''
  const cells = [message.author ?? '', place, species, String(count), note, state]
  return make(
    'tr',
    ...cells.map((cell) => make('td', cell)),
    make(
      'td',
      button('Correct', () => correct(entry)),
    ),
  )
}

function refused(held: HeldOperation): HTMLElement {
  const text = `Not taken: ${held.operation.body ?? held.operation.type} (${held.error.message}) `
  return make(
    'li',
    text,
    button('Send again', () => held.resend().catch(say)),
    button('Throw away', () => held.discard().catch(say)),
  )
}

function say(what: unknown): void {
  at('problem').textContent = what instanceof Error ? what.message : String(what)
}

void navigator.serviceWorker?.register('sw.js')
// the same window is the same person again
if (sessionStorage.identity) void signIn(sessionStorage.identity)
