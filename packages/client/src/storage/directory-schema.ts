/** The tables of an owner's file, version after version. Positions are never given twice (`autoincrement`). */
export const STORE_SCHEMA = [
  `
  create table entries (
    position integer primary key autoincrement,
    id text not null unique,
    document text not null,
    operation text not null,
    state text not null,
    error text,
    held_at integer
  ) strict;
  create table summaries (
    document text primary key,
    epoch integer not null,
    commits_id integer not null,
    clock integer not null,
    data text not null
  ) strict, without rowid;
  create table vals (key text primary key, value text not null) strict, without rowid;
  create table updates (
    key integer primary key autoincrement,
    document text not null,
    epoch integer not null,
    bytes blob not null
  ) strict;
  create index updates_of on updates (document, epoch, key);
`,
  `
  alter table entries add column message_index integer;
  create table pages (
    document text not null,
    hash text not null,
    bytes blob not null,
    used integer not null,
    primary key (document, hash)
  ) strict;
`,
]
