/** Statements of the application, and what they are to the lake. Before each there are rows from before; after each come changes. */
export const EVOLUTIONS: readonly { what: string; ddl: string; changes: readonly string[]; after?: string }[] = [
  {
    what: 'a column is added',
    ddl: 'ALTER TABLE item ADD COLUMN extra int',
    changes: ['column_added'],
    after: 'UPDATE item SET extra = 7 WHERE id = 2',
  },
  {
    what: 'three columns are added, with defaults that fill old rows',
    ddl: "ALTER TABLE item ADD COLUMN a int DEFAULT 5, ADD COLUMN b text DEFAULT 'it''s', ADD COLUMN c numeric(9,2) DEFAULT 1.50",
    changes: ['column_added', 'column_added', 'column_added'],
    after: 'UPDATE item SET a = 6 WHERE id = 3',
  },
  { what: 'a column is dropped', ddl: 'ALTER TABLE item DROP COLUMN n', changes: ['column_dropped'] },
  { what: 'a column is renamed', ddl: 'ALTER TABLE item RENAME COLUMN v TO value', changes: ['column_renamed'] },
  { what: 'a column is renamed in case only', ddl: 'ALTER TABLE item RENAME COLUMN w TO "W"', changes: ['column_renamed'] },
  {
    what: 'two columns exchange their names',
    ddl: 'ALTER TABLE item RENAME COLUMN v TO tmp; ALTER TABLE item RENAME COLUMN w TO v; ALTER TABLE item RENAME COLUMN tmp TO w',
    changes: ['column_renamed', 'column_renamed'],
  },
  {
    what: 'a column is dropped and another takes its name',
    ddl: 'ALTER TABLE item DROP COLUMN v; ALTER TABLE item RENAME COLUMN w TO v',
    changes: ['column_dropped', 'column_renamed'],
  },
  {
    what: 'a column is dropped and made anew',
    ddl: 'ALTER TABLE item DROP COLUMN v; ALTER TABLE item ADD COLUMN v int',
    changes: ['column_dropped', 'column_added'],
  },
  { what: 'a type grows', ddl: 'ALTER TABLE item ALTER n TYPE bigint', changes: ['type_changed'] },
  { what: 'a type becomes another', ddl: 'ALTER TABLE item ALTER n TYPE text', changes: ['type_changed'] },
  { what: 'the type of the key grows', ddl: 'ALTER TABLE item ALTER id TYPE bigint', changes: ['type_changed'] },
  {
    what: 'the table is renamed',
    ddl: 'ALTER TABLE item RENAME TO thing; CREATE VIEW item AS SELECT * FROM thing',
    changes: ['table_renamed'],
  },
  {
    what: 'the key becomes another',
    ddl: 'ALTER TABLE item DROP CONSTRAINT item_pkey; ALTER TABLE item ADD PRIMARY KEY (v)',
    changes: ['key_changed'],
  },
  {
    what: 'much at once',
    ddl: 'ALTER TABLE item RENAME TO thing; ALTER TABLE thing RENAME COLUMN v TO vv; ALTER TABLE thing ALTER n TYPE bigint, DROP COLUMN w, ADD COLUMN z text; CREATE VIEW item AS SELECT * FROM thing',
    changes: ['table_renamed', 'column_renamed', 'type_changed', 'column_dropped', 'column_added'],
  },
];
