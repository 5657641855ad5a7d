/**
 * What a hostile peer sends, as bytes: every row of the list of attacks and variants of each, built for a given
 * document so that the ids they aim at are real. They run against admission and, over sockets, against a relay.
 * Long because each entry is one attack with its bytes spelled out.
 */
import * as Y from 'yjs'
import {
  all,
  any,
  type Bytes,
  block,
  bytesOf,
  type Id,
  item,
  raw,
  text,
  uint,
  update,
} from './update-bytes.ts'

export interface HostileContext {
  /** Root name of the attacker's own outbox. */
  outbox: string
  /** A client id that nobody has used in this document. */
  fresh: number
  /** A client id bound to the attacker, and how many decided items it has (at least one). */
  own: { client: number; clock: number }
  /** Somebody else's outbox; a client id bound to them, with decided items. */
  victim: { outbox: string; client: number; clock: number }
  /** The relay's newest id of the root `messages`, with live items at clock 0 and last. */
  messages: { client: number; clock: number }
  /** A map root of the relay's, a key in it, and the item that holds the key's value. */
  map: { root: string; key: string; client: number; clock: number }
  /** An operation that the relay would accept, if it came by an honest way. */
  operation: object
}

export interface HostileUpdate {
  name: string
  update: Uint8Array
  /**
   * - `violation`: the connection is closed;
   * - `clientTaken`: 70602, nothing is taken;
   * - `dropped`: nothing is taken and nobody is hurt: it is ignored, or the relay asks for what is missing.
   */
  expected: 'violation' | 'clientTaken' | 'dropped'
}

/** Every attack, aimed at the given document. */
export function hostileUpdates(context: HostileContext): HostileUpdate[] {
  const { outbox, fresh, own, victim, messages, map, operation } = context
  const list: HostileUpdate[] = []
  const add = (expected: HostileUpdate['expected'], name: string, bytes: Uint8Array): void => {
    list.push({ name, update: bytes, expected })
  }
  const violation = (name: string, bytes: Uint8Array): void => add('violation', name, bytes)
  const ownLast: Id = [own.client, own.clock - 1]
  /** More ids that nobody has used. */
  const neighbour = (i: number): number => (fresh ^ i) >>> 0
  const append = item(any(operation), { origin: ownLast })
  const first = item(any(operation), { root: outbox })
  const honest = update([block(own.client, own.clock, append)])

  // a GC struct, anywhere
  add(
    'clientTaken',
    "deleted items over a victim's clocks",
    update([block(victim.client, victim.clock, item(uint(100), { ref: 1, root: victim.outbox }))]),
  )
  violation("GC over a victim's clocks", update([block(victim.client, victim.clock, all(raw(0), uint(100)))]))
  violation("GC over the attacker's own clocks", update([block(own.client, own.clock, all(raw(0), uint(1)))]))
  violation('GC over known clocks', update([block(own.client, 0, all(raw(0), uint(1)))]))
  violation(
    "GC over the relay's clocks",
    update([block(messages.client, 0, all(raw(0), uint(messages.clock)))]),
  )

  // delete sets
  violation("deletion of a victim's later items", update([], [[victim.client, victim.clock, 100]]))
  violation("deletion of a victim's known items", update([], [[victim.client, 0, victim.clock]]))
  violation("deletion of everything of a victim's", update([], [[victim.client, 0, 2 ** 52]]))
  violation("deletion of the relay's later items", update([], [[messages.client, messages.clock, 1]]))
  violation(
    "deletion of the relay's items, beyond their end",
    update([], [[messages.client, 0, messages.clock + 1]]),
  )
  add('dropped', "deletion of the relay's live items", update([], [[messages.client, 0, messages.clock]]))
  add('dropped', "deletion of the relay's live key", update([], [[map.client, map.clock, 1]]))
  add('dropped', 'deletion of items that nobody has written', update([], [[fresh, 0, 1000]]))
  add(
    'dropped',
    "deletion of the attacker's own items that don't exist",
    update([], [[own.client, own.clock, 1]]),
  )
  violation('deletion beyond the last clock there is', update([], [[own.client, 2 ** 53 - 1, 1]]))
  violation('deletion of nothing', update([], [[own.client, 0, 0]]))
  violation('deletions without a range', update([], [[own.client]]))
  violation(
    'deletions of one client twice',
    update(
      [],
      [
        [own.client, 0, 1],
        [own.client, 0, 1],
      ],
    ),
  )
  violation('deletion by a client id above 2^32 - 1', update([], [[2 ** 32, 0, 1]]))
  violation('more deletions claimed than there are', bytesOf(uint(0, 1, own.client, 1_000_000, 0, 1)))
  violation('a million clients claimed in the delete set', bytesOf(uint(0, 1_000_000)))

  // equivocation
  add(
    'dropped',
    'a known item again, with other content',
    update([block(own.client, 0, item(any(operation), { root: outbox }))]),
  )
  add(
    'dropped',
    "the relay's item again, with other content",
    update([block(messages.client, 0, item(any(operation), { root: 'messages' }))]),
  )
  add(
    'clientTaken',
    "a victim's item again, with other content",
    update([block(victim.client, 0, item(any(operation), { root: victim.outbox }))]),
  )
  add(
    'clientTaken',
    "a victim's next item, in the attacker's outbox",
    update([block(victim.client, victim.clock, first)]),
  )
  violation('the same client twice', update([block(fresh, 0, first), block(fresh, 1, first)]))
  violation(
    'the same client twice, with the same clock',
    update([block(own.client, own.clock, append), block(own.client, own.clock, append)]),
  )

  // gaps
  add('dropped', 'a clock gap', update([block(own.client, own.clock + 1000, append)]))
  add('dropped', 'a clock gap of a fresh client', update([block(fresh, 5, first)]))
  add(
    'dropped',
    'a Skip, then an item',
    update([block(own.client, own.clock, all(raw(10), uint(7)), append)]),
  )
  add('dropped', 'a Skip of a fresh client', update([block(fresh, 0, all(raw(10), uint(7)), first)]))
  add('dropped', 'Skips alone', update([block(own.client, own.clock, all(raw(10), uint(2 ** 40)))]))
  add(
    'dropped',
    'three thousand clients with gaps',
    update(Array.from({ length: 3000 }, (_, i) => block(neighbour(i + 1), 1 + i, first))),
  )
  violation(
    "a Skip over the relay's clocks",
    update([block(messages.client, messages.clock, all(raw(10), uint(7)))]),
  )

  // origins
  violation(
    'an origin at its own clock',
    update([block(own.client, own.clock, item(any(operation), { origin: [own.client, own.clock] }))]),
  )
  violation(
    'an origin at its own future clock',
    update([block(own.client, own.clock, item(any(operation), { origin: [own.client, own.clock + 9] }))]),
  )
  violation(
    'a right origin at its own clock',
    update([block(own.client, own.clock, item(any(operation), { right: [own.client, own.clock] }))]),
  )
  violation(
    'an origin in the middle of its own run',
    update([block(fresh, 0, item(any(operation, operation), { origin: [fresh, 1] }))]),
  )
  violation(
    'two clients whose first items wait for each other',
    update([
      block(fresh, 0, item(any(operation), { origin: [neighbour(1), 0] })),
      block(neighbour(1), 0, item(any(operation), { origin: [fresh, 0] })),
    ]),
  )
  violation(
    'three clients in a circle of right origins',
    update([
      block(fresh, 0, item(any(operation), { right: [neighbour(1), 0] })),
      block(neighbour(1), 0, item(any(operation), { right: [neighbour(2), 0] })),
      block(neighbour(2), 0, item(any(operation), { right: [fresh, 0] })),
    ]),
  )
  add(
    'dropped',
    'an origin that nobody has written',
    update([block(own.client, own.clock, item(any(operation), { origin: [fresh, 3] }))]),
  )
  violation(
    "an origin in the relay's messages",
    update([
      block(own.client, own.clock, item(any(operation), { origin: [messages.client, messages.clock - 1] })),
    ]),
  )
  violation(
    "an origin in the relay's messages to come",
    update([
      block(own.client, own.clock, item(any(operation), { origin: [messages.client, messages.clock] })),
    ]),
  )
  violation(
    "a right origin in the relay's messages",
    update([block(own.client, own.clock, item(any(operation), { right: [messages.client, 0] }))]),
  )
  violation(
    "a right origin in the relay's messages, an origin in the outbox",
    update([
      block(own.client, own.clock, item(any(operation), { origin: ownLast, right: [messages.client, 0] })),
    ]),
  )
  violation(
    "an origin in a victim's outbox",
    update([block(own.client, own.clock, item(any(operation), { origin: [victim.client, 0] }))]),
  )
  violation(
    'an origin of a client id above 2^32 - 1',
    update([block(own.client, own.clock, item(any(operation), { origin: [2 ** 32, 0] }))]),
  )

  // counts
  violation('32 million structs claimed in 8 bytes', bytesOf(uint(1, 32_000_000, 1), raw(0)))
  violation('2^53 - 1 clients claimed', bytesOf(uint(2 ** 53 - 1)))
  violation('a number beyond 2^53', bytesOf(raw(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)))
  violation('a number that never ends', bytesOf(raw(...new Array(1000).fill(0xff))))
  violation(
    '2^50 values claimed',
    update([block(own.client, own.clock, item(uint(2 ** 50), { origin: ownLast }))]),
  )
  violation(
    'a text of 2^50 bytes claimed',
    update([block(own.client, own.clock, item(all(uint(1), raw(119), uint(2 ** 50)), { origin: ownLast }))]),
  )
  violation(
    'an array of 2^50 entries claimed',
    update([block(own.client, own.clock, item(all(uint(1), raw(117), uint(2 ** 50)), { origin: ownLast }))]),
  )
  violation('a clock beyond 2^53', update([block(fresh, 2 ** 53 - 1, first)]))
  violation('a root name of 2^50 bytes claimed', update([block(fresh, 0, all(raw(8), uint(1, 2 ** 50)))]))
  violation(
    'more structs than an update may have',
    update([block(fresh, 0, ...Array.from({ length: 30_000 }, () => item(any(1), { root: outbox })))]),
  )
  violation(
    'more bytes than an update may have',
    update([block(own.client, own.clock, item(any('x'.repeat(3 * 1024 * 1024)), { origin: ownLast }))]),
  )

  // nesting
  const nested = (tag: number, depth: number): Bytes =>
    all(
      uint(1),
      ...Array.from({ length: depth }, () => (tag === 117 ? raw(117, 1) : raw(118, 1, 1, 97))),
      raw(126),
    )
  for (const depth of [500, 5000, 100_000]) {
    violation(
      `arrays nested ${depth} deep`,
      update([block(own.client, own.clock, item(nested(117, depth), { origin: ownLast }))]),
    )
    violation(
      `objects nested ${depth} deep`,
      update([block(own.client, own.clock, item(nested(118, depth), { origin: ownLast }))]),
    )
  }
  violation(
    'values nested too deep under a known clock',
    update([block(own.client, 0, item(nested(117, 5000), { root: outbox }))]),
  )
  violation(
    '8,000 nested types',
    update([
      block(
        fresh,
        0,
        item(uint(0), { ref: 7, root: outbox }),
        ...Array.from({ length: 7999 }, (_, i) => all(raw(7), uint(0, fresh, i), uint(0))),
      ),
    ]),
  )
  violation(
    'an item inside a nested type',
    update([block(fresh, 0, all(raw(8), uint(0, own.client, 0), any(operation)))]),
  )

  // other content
  violation('a map', update([block(fresh, 0, item(uint(1), { ref: 7, root: outbox }))]))
  violation(
    'JSON content',
    update([block(fresh, 0, item(all(uint(1), text('{}')), { ref: 2, root: outbox }))]),
  )
  violation('binary content', update([block(fresh, 0, item(uint(1, 1), { ref: 3, root: outbox }))]))
  violation('string content', update([block(fresh, 0, item(text('text'), { ref: 4, root: outbox }))]))
  violation('embedded content', update([block(fresh, 0, item(text('{}'), { ref: 5, root: outbox }))]))
  violation(
    'formatting',
    update([block(fresh, 0, item(all(text('bold'), text('true')), { ref: 6, root: outbox }))]),
  )
  violation(
    'a subdocument',
    update([block(fresh, 0, item(all(text('guid'), raw(118, 0)), { ref: 9, root: outbox }))]),
  )
  violation(
    'a subdocument under a known clock',
    update([block(own.client, 0, item(all(text('guid'), raw(118, 0)), { ref: 9, root: outbox }))]),
  )
  for (let ref = 11; ref < 32; ref++) {
    violation(`undefined struct kind ${ref}`, update([block(fresh, 0, item(uint(1), { ref, root: outbox }))]))
  }
  for (const bit of [0x20, 0x40, 0x80]) {
    violation(
      `a Skip with info bit ${bit}`,
      update([block(own.client, own.clock, all(raw(10 | bit), uint(1)))]),
    )
    violation(`a GC with info bit ${bit}`, update([block(own.client, own.clock, all(raw(bit), uint(1)))]))
  }
  for (const tag of [0, 1, 115, 128, 255]) {
    violation(
      `a value of undefined tag ${tag}`,
      update([block(own.client, own.clock, item(all(uint(1), raw(tag, 0)), { origin: ownLast }))]),
    )
  }

  // prototype
  const proto = all(
    uint(1),
    raw(118, 2),
    text('id'),
    raw(119),
    text('x'),
    text('__proto__'),
    raw(118, 1),
    text('author'),
    raw(119),
    text('victim'),
  )
  violation('a key __proto__', update([block(own.client, own.clock, item(proto, { origin: ownLast }))]))
  violation(
    'a key __proto__ under a known clock',
    update([block(own.client, 0, item(proto, { root: outbox }))]),
  )
  violation(
    'a key __proto__ further in',
    update([
      block(
        own.client,
        own.clock,
        item(all(uint(1), raw(117, 1, 118, 1), text('__proto__'), raw(126)), { origin: ownLast }),
      ),
    ]),
  )

  // zero length
  violation('no values', update([block(own.client, own.clock, item(uint(0), { origin: ownLast }))]))
  violation(
    'no values, five thousand times',
    update([
      block(own.client, own.clock, ...Array.from({ length: 5000 }, () => item(uint(0), { origin: ownLast }))),
    ]),
  )
  violation(
    'a deleted item of length zero',
    update([block(own.client, own.clock, item(uint(0), { ref: 1, origin: ownLast }))]),
  )
  violation('a Skip of length zero', update([block(own.client, own.clock, all(raw(10), uint(0)), append)]))
  violation('a block without structs', bytesOf(uint(1, 0, own.client, own.clock, 0)))

  // roots and keys
  violation('an unknown root', update([block(fresh, 0, item(any(operation), { root: 'secrets' }))]))
  violation('a root without a name', update([block(fresh, 0, item(any(operation), { root: '' }))]))
  violation("the relay's messages", update([block(fresh, 0, item(any(operation), { root: 'messages' }))]))
  violation("the relay's commits", update([block(fresh, 0, item(uint(1), { ref: 1, root: 'commits' }))]))
  violation("a victim's outbox", update([block(fresh, 0, item(any(operation), { root: victim.outbox }))]))
  violation(
    "the attacker's outbox with another case",
    update([block(fresh, 0, item(any(operation), { root: outbox.toUpperCase() }))]),
  )
  violation(
    "a map key on an item of the attacker's outbox",
    update([block(fresh, 0, item(any(operation), { root: outbox, key: 'hidden' }))]),
  )
  violation(
    'an inherited map key',
    update([block(own.client, own.clock, item(any(operation), { origin: ownLast, keyed: true }))]),
  )
  violation(
    "a map set over somebody's key",
    update([block(fresh, 0, item(any(operation), { origin: [map.client, map.clock], keyed: true }))]),
  )
  violation(
    "a map set over somebody's key, without its origin",
    update([block(fresh, 0, item(any(operation), { root: map.root, key: map.key }))]),
  )
  violation(
    'one item in another root, behind an honest one',
    update([
      block(own.client, own.clock, append),
      block(fresh, 0, item(any(operation), { root: 'messages' })),
    ]),
  )

  // client ids
  for (const client of [2 ** 32, 2 ** 40, 2 ** 53 - 1]) {
    violation(`client id ${client}`, update([block(client, 0, first)]))
  }
  violation(
    "the relay's client id",
    update([
      block(
        messages.client,
        messages.clock,
        item(any(operation), { origin: [messages.client, messages.clock - 1] }),
      ),
    ]),
  )
  add(
    'clientTaken',
    "the relay's client id, in the attacker's outbox",
    update([block(messages.client, messages.clock, first)]),
  )
  add(
    'clientTaken',
    "a victim's client id next to an honest block",
    update([block(victim.client, victim.clock, first), block(own.client, own.clock, append)]),
  )

  // bytes
  violation('trailing bytes', Uint8Array.of(...honest, 0))
  violation('a second update behind the first', Uint8Array.of(...honest, ...honest))
  violation('no bytes', new Uint8Array())
  for (let length = 1; length < honest.length; length++) {
    violation(`the first ${length} bytes of an honest update`, honest.slice(0, length))
  }
  violation('a number not in its shortest form', Uint8Array.of(0x80, 0x00, 0x00))
  violation(
    'text that is not UTF-8',
    update([block(own.client, own.clock, item(all(uint(1), raw(119, 2, 0xc3, 0x28)), { origin: ownLast }))]),
  )
  violation(
    'text with an encoded surrogate',
    update([
      block(own.client, own.clock, item(all(uint(1), raw(119, 3, 0xed, 0xa0, 0x80)), { origin: ownLast })),
    ]),
  )
  violation(
    'a key that is not UTF-8',
    update([
      block(own.client, own.clock, item(all(uint(1), raw(118, 1, 1, 0xff, 126)), { origin: ownLast })),
    ]),
  )

  // format V2
  const doc = new Y.Doc()
  doc.clientID = fresh
  doc.getArray(outbox).push([operation, 1, 2, 3])
  violation('an honest update in format V2', Y.encodeStateAsUpdateV2(doc))
  violation(
    'a run-length bomb of format V2',
    Uint8Array.of(
      0,
      0,
      4,
      1,
      0xff,
      0xff,
      0xff,
      0xff,
      0x0f,
      0,
      2,
      0,
      0,
      0,
      0,
      0,
      0,
      1,
      0,
      1,
      0xff,
      0xff,
      0xff,
      0xff,
      0x0f,
    ),
  )
  return list
}
