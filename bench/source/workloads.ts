/** One kind of work that an application does again and again. */
export interface Workload {
  readonly title: string;
  /** Makes its tables. */
  readonly schema: string;
  readonly tables: readonly string[];
  /** A script of pgbench. */
  readonly script: string;
  /** Changes that one transaction makes. */
  readonly changes: number;
}

/** A bulk statement on table `wide` of `rows` rows, and what puts things back, which is not measured. */
export interface Bulk {
  readonly title: string;
  readonly before: string;
  readonly statement: string;
}

const COLUMNS = Array.from({ length: 99 }, (_, index) => `c${index} text`);
const VALUES = Array.from({ length: 99 }, () => 'repeat(md5(random()::text), 3)');

export const PAIR: Workload = {
  title: 'one UPDATE and one INSERT of a row',
  schema: `CREATE TABLE item (id int PRIMARY KEY, n int, t text);
    CREATE TABLE journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item int, note text);
    INSERT INTO item SELECT g, 0, md5(g::text) FROM generate_series(1, 100000) g`,
  tables: ['item', 'journal'],
  script: `\\set id random(1, 100000)
BEGIN; UPDATE item SET n = n + 1 WHERE id = :id; INSERT INTO journal (item, note) VALUES (:id, 'a note of some length'); COMMIT;
`,
  changes: 2,
};

/** pgbench's own, by its own script, on ten branches. */
export const TPCB: Workload = {
  title: 'TPC-B-like (three UPDATEs, one INSERT, one SELECT)',
  schema: `CREATE TABLE branches (bid int PRIMARY KEY, bbalance int, filler char(88));
    CREATE TABLE tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
    CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
    CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
    INSERT INTO branches SELECT g, 0 FROM generate_series(1, 10) g;
    INSERT INTO tellers SELECT g, (g - 1) / 10 + 1, 0 FROM generate_series(1, 100) g;
    INSERT INTO accounts SELECT g, (g - 1) / 100000 + 1, 0, '' FROM generate_series(1, 1000000) g`,
  tables: ['branches', 'tellers', 'accounts', 'history'],
  script: `\\set aid random(1, 1000000)
\\set bid random(1, 10)
\\set tid random(1, 100)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM accounts WHERE aid = :aid;
UPDATE tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
COMMIT;
`,
  changes: 4,
};

export const WIDE: Workload = {
  title: 'one UPDATE of a row of 100 columns and 10 kB',
  schema: `CREATE TABLE broad (id int PRIMARY KEY, ${COLUMNS.join(', ')});
    INSERT INTO broad SELECT g, ${VALUES.join(', ')} FROM generate_series(1, 1000) g`,
  tables: ['broad'],
  script: `\\set id random(1, 1000)
UPDATE broad SET c50 = md5(:id::text || c50) WHERE id = :id;
`,
  changes: 1,
};

const row = (
  from: number,
  rows: number,
) => `SELECT g, g % 1000, g % 7, g * 0.37, 'customer ' || g, md5(g::text) || md5((g + 1)::text), now(), g % 2 = 0, g / 3.0, current_date
    FROM generate_series(${from}, ${from + rows - 1}) g`;

/** @param file where the server may write and read a copy of the rows */
export function bulks(rows: number, file: string): Bulk[] {
  return [
    { title: 'INSERT … SELECT', before: 'TRUNCATE wide', statement: `INSERT INTO wide ${row(1, rows)}` },
    {
      title: 'COPY',
      before: `COPY wide TO '${file}' (FORMAT binary); TRUNCATE wide`,
      statement: `COPY wide FROM '${file}' (FORMAT binary)`,
    },
    { title: 'UPDATE', before: '', statement: 'UPDATE wide SET a = a + 1' },
    { title: 'DELETE', before: '', statement: 'DELETE FROM wide' },
  ];
}
