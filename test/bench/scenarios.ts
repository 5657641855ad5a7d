/** The benchmarks there are, in the order of their sections in `docs/benchmarks.md`. */
import * as history from './client/history-scenario.ts'
import * as list from './client/list.ts'
import * as memory from './client/memory.ts'
import * as resume from './client/resume.ts'
import * as search from './client/search.ts'
import * as webApp from './client/web-app.ts'
import * as age from './history/scenario.ts'
import * as engine from './relay/engine.ts'
import * as growth from './relay/growth.ts'
import * as idle from './relay/idle.ts'
import * as join from './relay/join.ts'
import * as killed from './relay/killed.ts'
import * as posts from './relay/posts.ts'
import * as rest from './relay/rest.ts'
import * as touched from './relay/touched.ts'
import type { Scenario } from './scenario.ts'

export const scenarios: readonly Scenario[] = [
  list,
  webApp,
  resume,
  history,
  age,
  search,
  memory,
  posts,
  rest,
  idle,
  touched,
  join,
  killed,
  growth,
  engine,
]
