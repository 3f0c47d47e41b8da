-- The tables of pg-sluice. Frozen once released; functions live in sql/ and are replaced by every install.
-- Plain SQL without transaction control, safe to run again: node-pg-migrate, alembic, Flyway and psql -1 apply the same text.

CREATE SCHEMA IF NOT EXISTS audit;

-- CACHE 1: a cache per session would hand out numbers out of order, and the order within a key is this number's.
CREATE SEQUENCE IF NOT EXISTS audit.cdc_seq AS bigint CACHE 1;

-- The buffer pair. A swap exchanges their names, so both must stay alike: columns, storage, owner, grants.
-- context: who and why (audit.change_context), null unless the table is tracked with it; a null as the last column costs a row no byte.
-- No index: a writer pays for one. UNLOGGED: a writer pays no WAL; audit.sentinel tells when a crash has emptied them.
-- autovacuum off: it would hold the lock that a swap needs and gives way only after deadlock_timeout. TRUNCATE cleans instead.
CREATE UNLOGGED TABLE IF NOT EXISTS audit.cdc (
  cdc_seq  bigint      NOT NULL DEFAULT nextval('audit.cdc_seq'),
  cdc_xid  xid8        NOT NULL DEFAULT pg_current_xact_id(),
  cdc_ts   timestamptz NOT NULL DEFAULT clock_timestamp(),
  cdc_op   "char"      NOT NULL,
  table_id integer     NOT NULL,
  data     json,
  context  json
) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);

CREATE UNLOGGED TABLE IF NOT EXISTS audit.cdc_old (
  cdc_seq  bigint      NOT NULL DEFAULT nextval('audit.cdc_seq'),
  cdc_xid  xid8        NOT NULL DEFAULT pg_current_xact_id(),
  cdc_ts   timestamptz NOT NULL DEFAULT clock_timestamp(),
  cdc_op   "char"      NOT NULL,
  table_id integer     NOT NULL,
  data     json,
  context  json
) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);

-- rules: {"<attnum>": {"name", "rule": exclude | hash | constant | null | keep-last-<n>, "key": true}}, as audit.column_rules makes them; attnums_of:
-- the oid of the table whose column numbers these are (another one than relid after a restore). options: what the lake has to know (types, evolve).
-- triggers: the state in which they were captured without a break so far, see audit.trigger_state.
-- relid is a regclass, not an oid: a dump carries it as a name, so it survives a restore. Null once the table is untracked:
-- the row stays, for changes that still wait carry its id. paused_at: since when its changes are not logged (audit.pause); resumed_at, resumed_xid: until
-- when, and a number above those of all transactions that may have written unlogged. All three are null again once the lake has named the gap. No column names an index: a dump loads data before it makes indexes.
CREATE TABLE IF NOT EXISTS audit.tracked_table (
  table_id    integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  relid       regclass    UNIQUE,
  schema_name text        NOT NULL,
  table_name  text        NOT NULL,
  capture     text        NOT NULL CHECK (capture IN ('statement', 'row')),
  fingerprint jsonb       NOT NULL,
  rules       jsonb       NOT NULL DEFAULT '{}',
  attnums_of  oid,
  context     boolean     NOT NULL DEFAULT false,
  options     jsonb       NOT NULL DEFAULT '{}',
  triggers    jsonb,
  tracked_at  timestamptz NOT NULL DEFAULT now(),
  paused_at   timestamptz,
  resumed_at  timestamptz,
  resumed_xid xid8
);

-- The secret of masked values (rule hash): two databases with the same one give the same value the same hash. Read by capture functions alone;
-- audit.grant_daemon gives no right to it.
CREATE TABLE IF NOT EXISTS audit.hash_key (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  hash_key bytea   NOT NULL DEFAULT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
);
INSERT INTO audit.hash_key DEFAULT VALUES ON CONFLICT DO NOTHING;

-- When capture had to log a statement of a table as it came, because its rows could not be read again (audit.note_fault).
CREATE TABLE IF NOT EXISTS audit.fault (
  table_id integer     NOT NULL,
  noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  sqlstate text        NOT NULL
);

CREATE TABLE IF NOT EXISTS audit.batch (
  ordinal    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id         uuid        NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  kind       text        NOT NULL CHECK (kind IN ('swap', 'move')),
  state      text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done')),
  cut_at     timestamptz NOT NULL,
  settled_at timestamptz,
  done_at    timestamptz,
  rows       bigint
);
CREATE UNIQUE INDEX IF NOT EXISTS batch_one_open ON audit.batch (state) WHERE state = 'open';

-- Loads: what people ask of the leader, and how far each is, for status. What is true of a load stands in the lake (sluice.load): after a restore of the
-- source a load may be done once more, which changes nothing. mode: fill (a table's first load), compare, full, reset, verify, repair. sample: percent of
-- the rows that are read, about; null: all. began_at: since when it is known to the lake. rows_expected: null until it is at work.
CREATE TABLE IF NOT EXISTS audit.load (
  load_id       uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
  table_id      integer     NOT NULL,
  mode          text        NOT NULL CHECK (mode IN ('fill', 'compare', 'full', 'reset', 'verify', 'repair')),
  sample        real        CHECK (sample > 0 AND sample <= 100),
  requested_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  began_at      timestamptz,
  rows_expected bigint,
  rows_read     bigint,
  done_at       timestamptz,
  result        jsonb
);

-- Who this source is: a LOGGED epoch beside an UNLOGGED sentinel. The epoch without its sentinel: the buffer was emptied.
CREATE TABLE IF NOT EXISTS audit.epoch (
  only_row   boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch      uuid        NOT NULL DEFAULT gen_random_uuid(),
  started_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNLOGGED TABLE IF NOT EXISTS audit.sentinel (
  epoch uuid PRIMARY KEY
);
WITH made AS (INSERT INTO audit.epoch DEFAULT VALUES ON CONFLICT DO NOTHING RETURNING epoch)
INSERT INTO audit.sentinel SELECT epoch FROM made;

REVOKE ALL ON SCHEMA audit FROM PUBLIC;
