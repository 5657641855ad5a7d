/** The OpenAPI document, out of the declarations that also read the requests; and the same as a page. */
import { ERROR_CODES } from '@confab/core'
import * as z from 'zod'
import { VERSION } from '../version.ts'
import type { Route } from './route.ts'

const SERVICE = '/v1/Services/{ChatServiceSid}'

/** Where a route is served. */
export function pathsOf({ path, scope }: Route): string[] {
  if (path.startsWith('/2010-04-01/'))
    return [path.replace('/2010-04-01', '/2010-04-01/Accounts/{AccountSid}').concat('.json')]
  const [account, service] = [`/v1${path}`, SERVICE + path]
  return scope === 'both' ? [account, service] : scope === 'account' ? [account] : [service]
}

const schemaOf = (type: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _, ...schema } = z.toJSONSchema(type, { io, unrepresentable: 'any' })
  return schema
}

function answerOf({ answer, list }: Route): object | null {
  if (answer === null) return null
  const schema = schemaOf(answer, 'output')
  if (list === undefined) return schema
  const meta = {
    type: 'object',
    properties: {
      page: { type: 'integer' },
      page_size: { type: 'integer' },
      first_page_url: { type: 'string' },
      previous_page_url: { type: ['string', 'null'] },
      next_page_url: { type: ['string', 'null'] },
      url: { type: 'string' },
      key: { const: list },
    },
  }
  return { type: 'object', properties: { [list]: { type: 'array', items: schema }, meta } }
}

function operationOf(route: Route, path: string): object {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string)
  const inPath = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const fields = Object.entries(route.parameters.shape)
  const isQuery = route.method !== 'POST' || route.takes === 'content'
  const inQuery = isQuery
    ? fields.map(([name, type]) => ({
        name,
        in: 'query',
        required: !(type as z.ZodType).safeParse(undefined).success,
        schema: schemaOf(type as z.ZodType, 'input'),
      }))
    : []
  const answer = answerOf(route)
  return {
    tags: [route.resource],
    summary: route.summary,
    operationId: `${route.method.toLowerCase()}${path.replace(/[^A-Za-z0-9]+/g, '_')}`,
    parameters: [...inPath, ...inQuery],
    ...(route.takes === 'content' && {
      requestBody: { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } },
    }),
    ...(!isQuery &&
      fields.length > 0 && {
        requestBody: {
          content: { 'application/x-www-form-urlencoded': { schema: schemaOf(route.parameters, 'input') } },
        },
      }),
    responses: {
      [route.status]: answer
        ? { description: 'Done', content: { 'application/json': { schema: answer } } }
        : { description: 'Done' },
      default: {
        description: 'What was wrong',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  }
}

export function openApi(routes: readonly Route[]): object {
  const paths: { [path: string]: { [method: string]: object } } = {}
  for (const route of routes) {
    for (const path of pathsOf(route)) {
      paths[path] ??= {}
      paths[path][route.method.toLowerCase()] = operationOf(route, path)
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Confab',
      version: VERSION,
      description: 'Twilio’s Conversations v1, served by a Confab relay.',
    },
    security: [{ basic: [] }],
    paths,
    components: {
      securitySchemes: {
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'An account’s sid and auth token, or an API key’s sid and secret',
        },
      },
      schemas: {
        Error: {
          type: 'object',
          properties: {
            code: { enum: Object.keys(ERROR_CODES).map(Number) },
            message: { type: 'string' },
            more_info: { type: 'string' },
            status: { type: 'integer' },
          },
        },
      },
    },
  }
}

const escaped = (text: string) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)

/** The same, for people: no script, nothing from elsewhere. */
export function openApiPage(routes: readonly Route[]): string {
  const chapters = new Map<string, Route[]>()
  for (const route of routes) chapters.set(route.resource, [...(chapters.get(route.resource) ?? []), route])
  const sections = [...chapters].map(
    ([resource, own]) =>
      `<section><h2 id="${escaped(resource)}">${escaped(resource)}</h2>${own.map(entry).join('')}</section>`,
  )
  const contents = [...chapters.keys()].map(
    (name) => `<li><a href="#${escaped(name)}">${escaped(name)}</a></li>`,
  )
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Confab REST API</title><style>
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:56rem;margin:0 auto;padding:1rem}
code,.path{font-family:ui-monospace,monospace;font-size:.9em}h2{border-bottom:1px solid #8884}h3{margin-bottom:0}
.method{display:inline-block;min-width:4.5em;font-weight:700}td{padding:.1rem .8rem .1rem 0;vertical-align:top}ul{columns:2}
</style></head><body><h1>Confab REST API</h1>
<p>Twilio’s Conversations v1. Basic authentication with an account’s sid and auth token, or an API key’s sid and secret;
bodies are forms. The same as a document for tools: <a href="openapi.json">openapi.json</a>.</p><ul>${contents.join('')}</ul>${sections.join('')}${errors()}</body></html>`
}

/** What the codes mean that an answer may carry. */
function errors(): string {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { status, title }]) =>
      `<tr><td><code>${code}</code></td><td>${status}</td><td>${escaped(title)}</td></tr>`,
  )
  return `<section><h2 id="errors">Errors</h2><table>${rows.join('')}</table></section>`
}

function entry(route: Route): string {
  const paths = pathsOf(route).map(
    (path) => `<div class="path"><span class="method">${route.method}</span>${escaped(path)}</div>`,
  )
  const rows = Object.entries(route.parameters.shape).map(([name, type]) => {
    const isOptional = (type as z.ZodType).safeParse(undefined).success
    const { type: kind, enum: values } = schemaOf(type as z.ZodType, 'input') as {
      type?: string
      enum?: string[]
    }
    return `<tr><td><code>${escaped(name)}</code></td><td>${escaped(values?.join(' | ') ?? kind ?? '')}</td><td>${isOptional ? '' : 'needed'}</td></tr>`
  })
  const table = rows.length > 0 ? `<table>${rows.join('')}</table>` : ''
  return `<article><h3>${escaped(route.summary)}</h3>${paths.join('')}${table}</article>`
}
