/** `docs/benchmarks.md`: a section for each benchmark, found again by the comment at its head. */
import { cpus, totalmem } from 'node:os'
import { medianOf, type Row, type Scenario } from './scenario.ts'

const HEAD = `# Benchmarks

Written by \`npm run bench\`, section by section: nothing here is typed by hand. Each figure is the median of the runs beside it; CPU is user and system together. CPU times compare well between machines at work; other times are those of a machine that may have had other things to do.
`
const SECTION = /^<!-- benchmark: ([\w-]+) -->$/m

/** What it was measured on. */
export function machine(): string {
  const all = cpus()
  const model = all[0]?.model.trim() || 'an unnamed processor'
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${model}, ${all.length} cores, ${memory} GB, ${process.platform} ${process.arch}, Node ${process.versions.node}`
}

/** As many digits as say something: three, and no decimals from a hundred on. */
function format(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits })
}

/** The section of a benchmark that was run. */
export function sectionOf(
  { name, title, how, after }: Pick<Scenario, 'name' | 'title' | 'how' | 'after'>,
  rows: readonly Row[],
  where: string,
  when: Date,
  options = '',
): string {
  const lines = rows.map(
    ({ what, unit, runs }) =>
      `| ${what} | ${format(medianOf(runs))} ${unit} | ${runs.map(format).join(' · ')} |`,
  )
  return `<!-- benchmark: ${name} -->
## ${title}

${how}

Measured on ${when.toISOString().slice(0, 10)} (\`npm run bench -- ${options}${name}\`): ${where}.

| | median | runs |
|---|---|---|
${lines.join('\n')}
${after ? `\n${after(rows)}\n` : ''}`
}

/** Whether the page's section of a benchmark has peers in it, which a run without them would take away. */
export const hasPeersIn = (page: string, name: string): boolean =>
  page.includes(`\`npm run bench -- ${PEERS}${name}\``)

/** How a run with peers is asked for. */
export const PEERS = '--peers '

/** A line through points of one figure, for readers of Markdown that draw Mermaid. */
export function plot(
  title: string,
  x: { title: string; labels: readonly (string | number)[] },
  y: { title: string; values: readonly number[] },
): string {
  const labels = x.labels.map((label) => `"${label}"`).join(', ')
  const top = Math.ceil(Math.max(...y.values) * 1.1)
  return `\`\`\`mermaid
xychart-beta
  title "${title}"
  x-axis "${x.title}" [${labels}]
  y-axis "${y.title}" 0 --> ${top}
  line [${y.values.map((value) => Number(value.toPrecision(3))).join(', ')}]
\`\`\``
}

/** The page with these sections in place of what they had; all others stay, and all stand in the given order. */
export function withSections(
  page: string,
  sections: ReadonlyMap<string, string>,
  order: readonly string[],
): string {
  const [, ...parts] = page.split(SECTION)
  const all = new Map<string, string>()
  for (let i = 0; i < parts.length; i += 2) {
    const name = parts[i] as string
    all.set(name, `<!-- benchmark: ${name} -->\n${parts[i + 1]?.trim()}\n`)
  }
  for (const [name, section] of sections) all.set(name, section)
  const known = order.filter((name) => all.has(name))
  return [HEAD, ...known.map((name) => all.get(name))].join('\n')
}
