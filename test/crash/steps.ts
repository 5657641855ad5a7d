/** The exact moments at which a relay is killed, and what leads to each. */
import { after, before, type Moment } from './moments.ts'

export interface Step {
  name: string
  /**
   * What the relay is doing: merging a long log, deciding what two people post at once, bringing at its start what the
   * journal holds to its place, opening an epoch because of too many client ids, or doing what a timer left overdue.
   */
  during: 'compaction' | 'turn' | 'replay' | 'epoch' | 'timer'
  moment: Moment
  /** Whether the messages that were on their way are on disk then. Undefined: there may be more than one transaction. */
  stored?: boolean
  /** Part of `npm test`. */
  isQuick?: true
}

const JOURNAL = '^INSERT INTO journal'
const COMMIT = '^COMMIT$'
const COMPACT = 'SET snapshot_seq = \\?, log_from = max'
const EPOCH = '^DELETE FROM map_items'
const OVERDUE = 'documents_by_due'

/** Compactions first: one that didn't come to its end is due again, and nothing has to be filled a second time. */
export const STEPS: readonly Step[] = [
  {
    during: 'compaction',
    name: 'what it merges was read',
    moment: after('seq - snapshot_seq >= 128', '^SELECT seq, common, private FROM log'),
  },
  { during: 'compaction', name: 'its transaction has begun', moment: before(COMPACT) },
  { during: 'compaction', name: 'the head is written', moment: after(COMPACT) },
  { during: 'compaction', name: 'the snapshot is written', moment: after(COMPACT, '^INSERT INTO snapshots') },
  {
    during: 'compaction',
    name: 'the log is trimmed, nothing committed',
    moment: before(COMPACT, '^DELETE FROM log', COMMIT),
    isQuick: true,
  },
  { during: 'compaction', name: 'it is committed', moment: after(COMPACT, COMMIT) },

  { during: 'turn', name: 'before the write', moment: before('^BEGIN'), stored: false, isQuick: true },
  {
    during: 'turn',
    name: 'all is written, nothing committed',
    moment: before(JOURNAL, COMMIT),
    stored: false,
    isQuick: true,
  },
  {
    during: 'turn',
    name: 'committed, nobody told',
    moment: after(JOURNAL, COMMIT),
    stored: true,
    isQuick: true,
  },
  {
    during: 'turn',
    name: 'committed, one connection told',
    moment: after(JOURNAL, COMMIT, '^socket write'),
    stored: true,
  },
  {
    during: 'turn',
    name: 'committed, two connections told',
    moment: after(JOURNAL, COMMIT, '^socket write', '^socket write'),
    stored: true,
  },

  {
    during: 'replay',
    name: 'the head is written',
    moment: after('FROM journal', '^UPDATE documents'),
    stored: true,
  },
  {
    during: 'replay',
    name: 'the log is written',
    moment: after('FROM journal', '^INSERT INTO log'),
    stored: true,
  },
  {
    during: 'replay',
    name: 'all is in its place and the journal empty, nothing committed',
    moment: before('FROM journal', '^INSERT INTO decided', '^DELETE FROM journal', COMMIT),
    stored: true,
    isQuick: true,
  },
  { during: 'replay', name: 'it is committed', moment: after('FROM journal', COMMIT), stored: true },

  {
    during: 'epoch',
    name: 'the messages were read',
    moment: after('^SELECT client, clock, record FROM messages WHERE document = \\? AND position >='),
  },
  {
    during: 'epoch',
    name: 'the old one is deleted',
    moment: after(EPOCH, '^DELETE FROM snapshots'),
    isQuick: true,
  },
  { during: 'epoch', name: 'the snapshot is written', moment: after(EPOCH, '^INSERT INTO snapshots') },
  { during: 'epoch', name: 'all is written, nothing committed', moment: before(EPOCH, COMMIT) },
  { during: 'epoch', name: 'committed, nobody told', moment: after(EPOCH, COMMIT) },
  { during: 'epoch', name: 'committed, one connection told', moment: after(EPOCH, COMMIT, '^socket write') },

  { during: 'timer', name: 'what is overdue was read', moment: after(OVERDUE) },
  { during: 'timer', name: 'before the write', moment: before(OVERDUE, '^BEGIN') },
  {
    during: 'timer',
    name: 'the new state is written, nothing committed',
    moment: before(OVERDUE, JOURNAL, COMMIT),
    isQuick: true,
  },
  { during: 'timer', name: 'committed, nobody told', moment: after(OVERDUE, JOURNAL, COMMIT) },
]
