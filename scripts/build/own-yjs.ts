/**
 * Yjs as a bundle of ours holds it: what a document of plain JSON in root arrays and root maps needs, in update format
 * V1. Confab's documents hold nothing else: only the relay writes to its own root types, and its strict reader lets
 * nothing else out of an outbox (packages/core/src/update/read.ts). Where other content comes all the same, it is
 * refused with an error. What is left is Yjs, byte for byte: test/own-yjs.test.ts holds it against the full one. Only
 * what a document can't apply yet is kept in another way, update by update, because merging updates takes as much code
 * as applying them: it is applied when what it stands on has come, and isn't in what `encodeStateAsUpdate` gives. A
 * device keeps that as a cache, and asks the relay from the state vector.
 *
 * The app doesn't see this copy, so what isn't here is missed by nobody. Whatever is changed here must be found in the
 * source as it is expected, or the build fails.
 */
import { readFileSync } from 'node:fs'
import { type Node, parse } from 'acorn'
import type { Plugin } from 'esbuild'

export const ownYjs: Plugin = {
  name: 'own-yjs',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]yjs[\\/]dist[\\/]yjs\.mjs$/ }, ({ path }) => ({
      contents: plainJsonOnly(readFileSync(path, 'utf8')),
      loader: 'js',
    }))
  },
}

/** Declarations that become something else. */
const DECLARED: Record<string, string> = {
  // what a document can't apply yet is kept in the format that everything else has
  DSDecoderV2: 'const DSDecoderV2 = DSDecoderV1',
  UpdateDecoderV2: 'const UpdateDecoderV2 = UpdateDecoderV1',
  DSEncoderV2: 'const DSEncoderV2 = DSEncoderV1',
  UpdateEncoderV2: 'const UpdateEncoderV2 = UpdateEncoderV1',
  contentRefs: `const otherContent = () => { throw new Error('A document of Confab holds plain JSON only') }
    const contentRefs = { 1: readContentDeleted, 8: readContentAny }`,
  readItemContent:
    'const readItemContent = (decoder, info) => (contentRefs[info & 31] || otherContent)(decoder)',
  convertUpdateFormatV2ToV1: 'const convertUpdateFormatV2ToV1 = (update) => update',
  isDevMode: 'const isDevMode = false',
  emptySnapshot: 'const emptySnapshot = null',
  findMarker: 'const findMarker = () => null',
  updateMarkerChanges: 'const updateMarkerChanges = () => {}',
}

/**
 * Members of classes that go: who is told of changes to one type, values set before a type is in a document, what reads
 * and writes other content, and what devices don't do: they push to arrays and delete there, and write to no map.
 */
const MEMBERS: Record<string, string[]> = {
  Doc: ['load', 'getSubdocs', 'getSubdocGuids', 'getText', 'getXmlElement', 'getXmlFragment', 'toJSON'],
  AbstractType: [
    'parent',
    '_copy',
    'clone',
    '_write',
    'observe',
    'observeDeep',
    'unobserve',
    'unobserveDeep',
    '_first',
    '_callObserver',
    'toJSON',
  ],
  YArray: [
    '_integrate',
    '_callObserver',
    '_copy',
    'clone',
    '_write',
    'from',
    'length',
    'insert',
    'unshift',
    'get',
    'slice',
    'toJSON',
    'map',
    'forEach',
  ],
  YMap: [
    '_integrate',
    '_callObserver',
    '_copy',
    'clone',
    '_write',
    'size',
    'forEach',
    'delete',
    'set',
    'has',
    'clear',
  ],
  AbstractStruct: ['deleted', 'mergeWith', 'write', 'integrate'],
  Skip: ['integrate'],
  Item: ['marker', 'next', 'prev'],
  ContentAny: ['copy', 'delete', 'gc'],
  ContentDeleted: ['copy', 'delete', 'gc'],
  UpdateDecoderV1: ['readTypeRef', 'readBuf', 'readJSON', 'readKey'],
  UpdateEncoderV1: ['writeTypeRef', 'writeBuf', 'writeJSON', 'writeKey'],
  DSDecoderV1: ['resetDsCurVal'],
  DSEncoderV1: ['resetDsCurVal'],
}

/** Calls that do nothing here, and events of documents that nobody listens for. */
const NO_CALLS = [
  'decoder.resetDsCurVal()',
  'encoder.resetDsCurVal()',
  'this.content.gc(store)',
  'this.content.delete(transaction)',
  "doc.emit('beforeObserverCalls', [transaction, doc])",
  "doc.emit('afterTransactionCleanup', [transaction, doc])",
  "doc.emit('afterAllTransactions', [doc, transactionCleanups])",
  "doc.emit('beforeAllTransactions', [doc])",
  "doc.emit('beforeTransaction', [doc._transaction, doc])",
]

/** Properties that have one value, always: nothing is nested, undone, formatted or a subdocument. */
const ALWAYS: Record<string, string> = {
  _item: 'null',
  redone: 'null',
  keep: 'false',
  _needFormattingCleanup: 'false',
  // remembers positions in long lists, where we never insert
  _searchMarker: 'null',
  _prelimContent: 'null',
  _eH: 'null',
  _dEH: 'null',
  subdocsAdded: 'null',
  subdocsRemoved: 'null',
  subdocsLoaded: 'null',
}

/** From one text to another that follows it, which stays, and what stands there instead. Each is there once. */
const SPANS: [from: string, upTo: string, instead: string][] = [
  // an app may have a Yjs of its own: the two never meet
  ['const glo = /** @type {any} */ (typeof globalThis', 'export { AbsolutePosition', ''],
  [
    'constructor ({ guid = random.uuidv4(), collectionid = null',
    'transact (f, origin = null) {',
    `constructor () {
      super()
      this.clientID = generateNewClientId()
      this.share = new Map()
      this.store = new StructStore()
      this._transaction = null
      this._transactionCleanups = []
    }
    `,
  ],
  ['this.isDestroyed = true;', "this.emit('destroy', [this]);", ''],
  [
    'transaction.changed.forEach((subs, itemtype) =>\n        fs.push(',
    '} finally {\n      // Replace deleted items',
    "doc.emit('afterTransaction', [transaction, doc])\n",
  ],
  [
    'if (doc.gc) {\n        tryGcDeleteSet',
    'tryMergeDeleteSet(ds, store);\n\n',
    'tryGcDeleteSet(ds, store)\n',
  ],
  ['!struct.keep && gcFilter(struct)) {', 'struct.gc(store, false)', '!struct.keep) {'],
  [
    'pending.update = mergeUpdatesV2([pending.update, restStructs.update]);',
    '}\n    } else {\n      store.pendingStructs = restStructs;',
    'pending.update = [pending.update, restStructs.update].flat();\n',
  ],
  [
    'if (store.pendingDs) {\n      // @todo',
    "// console.log('time to cleanup",
    `const rest = (store.pendingDs || []).map((update) => {
      const deletes = new UpdateDecoderV1(decoding.createDecoder(update))
      decoding.readVarUint(deletes.restDecoder)
      return readAndApplyDeleteSet(deletes, transaction, store)
    })
    store.pendingDs = [dsRest, ...rest].filter(Boolean)
    if (store.pendingDs.length === 0) store.pendingDs = null
    `,
  ],
  [
    'applyUpdateV2(transaction.doc, update);\n    }\n  }, transactionOrigin, false);',
    '}\n  }, transactionOrigin, false);',
    '[update].flat().forEach((one) => applyUpdateV2(transaction.doc, one))\n    ',
  ],
  [
    'const updates = [encoder.toUint8Array()];\n  // also add',
    '};\n\n/**\n * Write all the document as a single update message',
    'return encoder.toUint8Array()\n',
  ],
  ["if (doc._observers.has('updateV2')) {", 'if (transactionCleanups.length <= i + 1) {', ''],
  [
    'const marker = (parent._searchMarker || [])',
    'if (n) {\n    while (n.right)',
    'let n = parent._start;\n  ',
  ],
  [
    'if (parent._item !== undefined) {\n        const parentItem',
    'if (parentSub !== null) {\n        encoder.writeString(parentSub)',
    `encoder.writeParentInfo(true)
      encoder.writeString(parent.constructor === String ? parent : findRootTypeKey(parent))
      `,
  ],
]

type AnyNode = Node & { [key: string]: unknown }
type Edit = { start: number; end: number; text: string }

function plainJsonOnly(code: string): string {
  const edits: Edit[] = []
  for (const [from, upTo, text] of SPANS) {
    const start = onlyPlaceOf(from, code)
    const end = code.indexOf(upTo, start)
    if (end < 0) throw new Error(`Yjs has changed: no "${upTo}" behind "${from}"`)
    edits.push({ start, end, text })
  }
  const unmet = new Set([
    ...Object.keys(DECLARED),
    ...Object.entries(MEMBERS).flatMap(([name, members]) => members.map((member) => `${name}.${member}`)),
    ...Object.keys(ALWAYS),
    ...NO_CALLS,
  ])
  const walk = (node: AnyNode, inClass: string): void => {
    const change = changeOf(node, inClass, code)
    if (change) {
      const { at = node, text, met } = change
      edits.push({ start: at.start, end: at.end, text })
      if (met !== undefined) unmet.delete(met)
      return
    }
    const within = node.type === 'ClassDeclaration' ? declaredName(node)! : inClass
    for (const child of children(node)) walk(child, within)
  }
  walk(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }) as Node as AnyNode, '')
  if (unmet.size > 0) throw new Error(`Yjs has changed: there is no ${[...unmet].join(', ')}`)
  return edited(code, edits)
}

interface Change {
  text: string
  /** What becomes of it, if it isn't the node itself. */
  at?: Node
  /** Which of the tables' entries it is. */
  met?: string
}

function changeOf(node: AnyNode, inClass: string, code: string): Change | undefined {
  const texts = (child: unknown): string => code.slice((child as Node).start, (child as Node).end)
  const property = propertyOf(node)
  if (property !== undefined && Object.hasOwn(ALWAYS, property)) return { text: ALWAYS[property]! }
  switch (node.type) {
    case 'ClassDeclaration':
    case 'VariableDeclaration': {
      const name = declaredName(node)
      if (name === undefined || !Object.hasOwn(DECLARED, name)) return
      return { text: DECLARED[name]!, met: name }
    }
    case 'MethodDefinition': {
      const name = String((node.key as AnyNode).name)
      if (MEMBERS[inClass]?.includes(name)) return { text: '', met: `${inClass}.${name}` }
      return node.kind !== 'method' && Object.hasOwn(ALWAYS, name) ? { text: '' } : undefined
    }
    case 'ExpressionStatement': {
      const call = texts(node.expression)
      if (NO_CALLS.includes(call)) return { text: ';', met: call }
      const { type, left } = node.expression as AnyNode
      const name = type === 'AssignmentExpression' ? propertyOf(left as AnyNode) : undefined
      return name !== undefined && Object.hasOwn(ALWAYS, name) ? { text: ';', met: name } : undefined
    }
    case 'BinaryExpression': {
      const compared = `${node.operator} ${texts(node.right)}`
      // no value is a type, and no type's parent is an item
      if (compared === 'instanceof AbstractType') return { text: 'false' }
      if (compared === '=== ID' && propertyOf(node.left as AnyNode) === 'constructor')
        return { text: 'false' }
      // there is no type that isn't in a document
      return compared === '!== null' && texts(node.left) === 'this.doc' ? { text: 'true' } : undefined
    }
    case 'LogicalExpression':
      return texts(node.right) === 'warnPrematureAccess()' ? { text: '0' } : undefined
    case 'ConditionalExpression':
      if (texts(node.test) !== 'decoder.readParentInfo()') return
      return { text: 'otherContent()', at: node.alternate as AnyNode }
    case 'SwitchCase':
      return node.test && ['Uint8Array', 'ArrayBuffer', 'Doc'].includes(texts(node.test))
        ? { text: '' }
        : undefined
  }
}

/** Edits inside of others go with them. */
function edited(code: string, edits: Edit[]): string {
  edits.sort((a, b) => a.start - b.start || b.end - a.end)
  let own = ''
  let done = 0
  for (const { start, end, text } of edits) {
    if (start < done) {
      if (end > done) throw new Error(`Two changes to Yjs overlap: at ${start}`)
      continue
    }
    own += code.slice(done, start) + text
    done = end
  }
  return own + code.slice(done)
}

function onlyPlaceOf(text: string, code: string): number {
  const place = code.indexOf(text)
  if (place < 0 || code.includes(text, place + 1)) throw new Error(`Yjs has changed: not once "${text}"`)
  return place
}

function declaredName(node: AnyNode): string | undefined {
  if (node.type === 'ClassDeclaration') return String((node.id as AnyNode).name)
  if (node.type !== 'VariableDeclaration') return undefined
  const [first, ...others] = node.declarations as { id: AnyNode }[]
  return others.length === 0 ? String(first!.id.name) : undefined
}

const propertyOf = (node: AnyNode): string | undefined =>
  node.type === 'MemberExpression' && !node.computed ? String((node.property as AnyNode).name) : undefined

const children = (node: AnyNode): AnyNode[] =>
  Object.values(node)
    .flat()
    .filter(
      (value): value is AnyNode =>
        typeof value === 'object' && value !== null && typeof (value as AnyNode).type === 'string',
    )
