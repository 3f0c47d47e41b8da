import fc from 'fast-check';

/** What a step of a transaction does; a failing statement is rolled back to a savepoint of its own and the transaction goes on. */
export type Step = { statement: string } | { steps: Step[]; end: 'release' | 'rollback' };

export interface Program {
  readonly ddl: string[];
  readonly tables: string[];
  /** `before`: schema changes made by another session first. */
  readonly transactions: { before: string[]; steps: Step[]; end: 'commit' | 'rollback' }[];
}

const small = fc.integer({ min: 0, max: 9 });
const letter = fc.constantFrom('x', 'y', 'X');
const weighted = <T>(...options: [number, fc.Arbitrary<T>][]): fc.Arbitrary<T> =>
  fc.oneof(...options.map(([weight, arbitrary]) => ({ weight, arbitrary })));
const pick = (names: string[]) => fc.constantFrom(...names);

interface Table {
  readonly name: string;
  readonly key: 'a' | 'a, b';
  readonly kind: 'plain' | 'range' | 'nested';
}

const layout = (name: string): fc.Arbitrary<Table> =>
  fc.record({
    name: fc.constant(name),
    key: fc.constantFrom<Table['key']>('a', 'a', 'a, b'),
    kind: fc.constantFrom<Table['kind']>('plain', 'plain', 'range', 'nested'),
  });

function ddlOf({ name, key, kind }: Table): string {
  const columns = `a int, b text DEFAULT 'x', v int DEFAULT 0, p int, PRIMARY KEY (${key})`;
  if (kind === 'plain') return `CREATE TABLE ${name} (${columns})`;
  const second =
    kind === 'range'
      ? `CREATE TABLE ${name}_hi PARTITION OF ${name} FOR VALUES FROM (4) TO (MAXVALUE)`
      : `CREATE TABLE ${name}_hi PARTITION OF ${name} FOR VALUES FROM (4) TO (MAXVALUE) PARTITION BY HASH (a);
         CREATE TABLE ${name}_h0 PARTITION OF ${name}_hi FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE ${name}_h1 PARTITION OF ${name}_hi FOR VALUES WITH (MODULUS 2, REMAINDER 1)`;
  return `CREATE TABLE ${name} (${columns}) PARTITION BY RANGE (a); CREATE TABLE ${name}_lo PARTITION OF ${name} FOR VALUES FROM (MINVALUE) TO (4); ${second}`;
}

const foreignKey = (tables: Table[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...tables),
      fc.constantFrom(...tables),
      fc.constantFrom('CASCADE', 'SET NULL'),
      fc.constantFrom('CASCADE', 'SET NULL', 'NO ACTION'),
      fc.constantFrom('', 'DEFERRABLE INITIALLY DEFERRED'),
    )
    .map(([from, to, onDelete, onUpdate, when]) =>
      to.key === 'a'
        ? `ALTER TABLE ${from.name} ADD FOREIGN KEY (p) REFERENCES ${to.name} (a) ON DELETE ${onDelete} ON UPDATE ${onUpdate} ${when}`
        : 'SELECT',
    );

/** Statements over these tables and, if given, functions of one int that write them. */
function statements(tables: Table[], functions: string[]): fc.Arbitrary<string> {
  const table = fc.constantFrom(...tables);
  const target = table.chain((t) => pick(t.kind === 'plain' ? [t.name] : [t.name, t.name, t.name, `${t.name}_lo`, `${t.name}_hi`]));
  const value = weighted<string>(
    [3, small.map(String)],
    [2, fc.constant('v + 1')],
    ...(functions.length ? [[3, pick(functions).map((f) => `${f}(a)`)] as [number, fc.Arbitrary<string>]] : []),
  );
  const constant = weighted<string>(
    [3, small.map(String)],
    ...(functions.length ? [[2, fc.tuple(pick(functions), small).map(([f, n]) => `${f}(${n})`)] as [number, fc.Arbitrary<string>]] : []),
  );
  const parent = weighted<string>([4, fc.constant('NULL')], [1, small.map(String)]);
  const where = weighted<string>(
    [2, fc.constant('true')],
    [2, fc.tuple(small, small).map(([low, span]) => `a BETWEEN ${low} AND ${low + span}`)],
    [1, small.map((n) => `a = ${n}`)],
    [1, small.map((n) => `a % 3 = ${n % 3}`)],
    [1, fc.constant('v > 2')],
  );
  const set = weighted<string>(
    [5, value.map((v) => `v = ${v}`)],
    [1, fc.tuple(value, fc.constantFrom(1, -1, 10, -10)).map(([v, by]) => `a = a + ${by}, v = ${v}`)],
    [1, letter.map((l) => `b = '${l}'`)],
    [1, parent.map((p) => `p = ${p}`)],
    [1, small.map((n) => `a = ${n}`)],
  );
  const rows = fc
    .array(fc.tuple(small, letter, constant, parent), { minLength: 1, maxLength: 4 })
    .map((list) => list.map((row) => `(${row[0]}, '${row[1]}', ${row[2]}, ${row[3]})`).join(', '));
  const conflict = (to: Table) =>
    weighted<string>(
      [2, fc.constant('')],
      [3, fc.constant('ON CONFLICT DO NOTHING')],
      [3, fc.constant(`ON CONFLICT (${to.key}) DO UPDATE SET v = excluded.v + 1`)],
      [1, fc.constantFrom(1, 5, 10).map((by) => `ON CONFLICT (${to.key}) DO UPDATE SET a = ${to.name}.a + ${by}`)],
    );
  const insert = fc
    .tuple(table, rows)
    .chain(([to, values]) => conflict(to).map((then) => `INSERT INTO ${to.name} (a, b, v, p) VALUES ${values} ${then}`));
  const update = fc.tuple(target, set, where).map(([to, what, which]) => `UPDATE ${to} SET ${what} WHERE ${which}`);
  const remove = fc.tuple(target, where).map(([from, which]) => `DELETE FROM ${from} WHERE ${which}`);
  const merge = fc.tuple(table, rows, set, small, fc.constantFrom('DELETE', 'UPDATE SET v = s.v', 'DO NOTHING')).map(
    ([to, values, what, n, otherwise]) =>
      `MERGE INTO ${to.name} m USING (VALUES ${values}) s (sa, sb, v, p) ON m.a = s.sa AND m.b = s.sb
       WHEN MATCHED AND s.v > ${n} THEN UPDATE SET ${what.replace(/\bv \+/g, 'm.v +')} WHEN MATCHED THEN ${otherwise}
       WHEN NOT MATCHED THEN INSERT (a, b, v) VALUES (s.sa + ${n % 3}, s.sb, s.v)`,
  );
  const limit = fc.constantFrom('', '', 'LIMIT 1', 'LIMIT 2');
  const cte = fc
    .tuple(weighted([2, remove], [2, update], [1, insert]), table, table, limit, fc.constantFrom(0, 0, 1, 10), where, set)
    .chain(([first, to, also, count, by, which, what]) =>
      weighted<string>(
        [4, conflict(to).map((then) => `INSERT INTO ${to.name} (a, b, v) SELECT a + ${by}, b, v + 1 FROM c ${count} ${then}`)],
        [1, fc.constant(`UPDATE ${to.name} SET v = ${to.name}.v + c.v FROM c WHERE c.a = ${to.name}.a + ${by}`)],
        [1, fc.constant(`DELETE FROM ${to.name} USING c WHERE c.a = ${to.name}.a + ${by}`)],
        [
          1,
          conflict(to)
            .map((then) => `INSERT INTO ${to.name} (a, b, v) SELECT a, b, v FROM c ${count} ${then}`)
            .map((text) => `, e AS (UPDATE ${also.name} SET ${what} WHERE ${which} RETURNING a) ${text}`),
        ],
      ).map((rest) => `WITH c AS (${first} RETURNING a, b, v) ${rest}`),
    );
  const truncate = fc.tuple(target, fc.constantFrom('', ' CASCADE')).map(([name, cascade]) => `TRUNCATE ${name}${cascade}`);
  const read = functions.length ? fc.tuple(pick(functions), table).map(([f, t]) => `SELECT ${f}(a) FROM ${t.name}`) : update;
  return weighted([6, insert], [6, update], [4, remove], [3, merge], [5, cte], [1, read], [1, truncate]);
}

/** Runs an action unless depth or budget is spent. */
const action = (statement: string, caught: boolean, depth: number) => `
    IF coalesce(nullif(current_setting('app.depth', true), ''), '0')::int < ${depth} AND coalesce(nullif(current_setting('app.budget', true), ''), '0')::int > 0 THEN
      PERFORM set_config('app.depth', (coalesce(nullif(current_setting('app.depth', true), ''), '0')::int + 1)::text, true);
      PERFORM set_config('app.budget', (current_setting('app.budget')::int - 1)::text, true);
      ${caught ? 'BEGIN' : ''} ${statement.startsWith('SELECT') ? statement.replace('SELECT', 'PERFORM') : statement}; ${caught ? 'EXCEPTION WHEN OTHERS THEN NULL; END;' : ''}
      PERFORM set_config('app.depth', (current_setting('app.depth')::int - 1)::text, true);
    END IF;`;

const withoutTruncate = (tables: Table[], functions: string[]) =>
  statements(tables, functions).filter((text) => !text.startsWith('TRUNCATE'));

const functionDdl = (tables: Table[], name: string, others: string[]) =>
  fc
    .tuple(withoutTruncate(tables, others), fc.boolean())
    .map(
      ([text, caught]) =>
        `CREATE FUNCTION ${name}(x int) RETURNS int LANGUAGE plpgsql AS $f$ #variable_conflict use_column\nBEGIN ${action(text, caught, 3)} RETURN x; END $f$`,
    );

const triggerDdl = (tables: Table[], functions: string[], number: number) =>
  fc
    .tuple(
      fc.constantFrom(...tables),
      fc.constantFrom('BEFORE', 'AFTER'),
      fc.constantFrom('ROW', 'ROW', 'STATEMENT'),
      fc.subarray(['INSERT', 'UPDATE', 'DELETE'], { minLength: 1 }),
      fc.array(fc.tuple(withoutTruncate(tables, functions), fc.boolean()), { minLength: 1, maxLength: 2 }),
      fc.constantFrom('', '', '', 'NEW.v := NEW.v + 1;', 'NEW.a := NEW.a + 1;', 'IF NEW.a % 3 = 1 THEN RETURN NULL; END IF;'),
      fc.constantFrom('aa', 'zz'),
      fc.boolean(),
    )
    .map(([table, when, level, events, actions, change, prefix, deferred]) => {
      const name = `${prefix}_trigger_${number}`;
      const changes = when === 'BEFORE' && level === 'ROW' && !events.includes('DELETE') ? change : '';
      const returns = level === 'STATEMENT' ? 'NULL' : `CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END`;
      const constraint = deferred && when === 'AFTER' && level === 'ROW';
      return `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $f$ #variable_conflict use_column
        BEGIN ${actions.map(([text, caught]) => action(text, caught, 2)).join('')} ${changes} ${returns === 'NULL' ? 'RETURN NULL;' : `IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;`} END $f$;
        CREATE ${constraint ? 'CONSTRAINT ' : ''}TRIGGER ${name} ${when} ${events.join(' OR ')} ON ${table.name} ${constraint ? 'DEFERRABLE INITIALLY DEFERRED' : ''} FOR EACH ${level} EXECUTE FUNCTION ${name}()`;
    });

const steps = (one: fc.Arbitrary<string>): fc.Arbitrary<Step[]> =>
  fc.array(
    weighted<Step>(
      [6, one.map((statement) => ({ statement }))],
      [
        1,
        one.map((statement) => ({
          statement: `DO $d$ BEGIN ${statement.startsWith('SELECT') ? statement.replace('SELECT', 'PERFORM') : statement}; PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN NULL; END $d$`,
        })),
      ],
      [
        1,
        fc.record({
          steps: fc.array(
            one.map((statement) => ({ statement })),
            { minLength: 1, maxLength: 3 },
          ),
          end: fc.constantFrom<'release' | 'rollback'>('release', 'rollback'),
        }),
      ],
    ),
    { minLength: 1, maxLength: 8 },
  );

/** Schema changes that leave the columns' names as they were; those that PostgreSQL refuses are no change. */
const schemaChange = (tables: Table[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...tables),
      fc.constantFrom('int', 'bigint', 'numeric'),
      fc.integer({ min: 0, max: 10 }),
      fc.constantFrom('a', 'a', 'b', 'v'),
    )
    .map(([{ name, key, kind }, type, what, column]) => {
      const other = key === 'a' && kind === 'plain' ? 'a, b' : key;
      return (
        [
          `ALTER TABLE ${name} ALTER ${column === 'b' ? 'v' : column} TYPE ${type}`,
          `ALTER TABLE ${name} ALTER a TYPE ${type}, ALTER v TYPE ${type}`,
          `ALTER TABLE ${name} DROP CONSTRAINT ${name}_pkey, ADD PRIMARY KEY (${other})`,
          `ALTER TABLE ${name} DROP CONSTRAINT ${name}_pkey CASCADE, ADD PRIMARY KEY (${key})`,
          `ALTER TABLE ${name} ADD COLUMN extra_${type} int`,
          `ALTER TABLE ${name} DROP COLUMN IF EXISTS extra_${type}`,
          `ALTER TABLE ${name} RENAME ${column} TO q; ALTER TABLE ${name} RENAME q TO ${column}`,
          `ALTER TABLE ${name} RENAME TO q; ALTER TABLE q RENAME TO ${name}`,
          `SELECT audit.refresh(table_id) FROM audit.tracked_table WHERE relid = '${name}'::regclass`,
          `ALTER INDEX ${name}_pkey RENAME TO q; ALTER INDEX q RENAME TO ${name}_pkey`,
        ][what] ?? `ANALYZE ${name}`
      );
    });

/**
 * Random programs against two or three tracked tables with the columns a int, b text (the key: a, or a and b), v int, p int (sometimes a
 * foreign key). Actions of triggers and functions run under a depth and a budget kept in settings, so that every program ends.
 */
export const program: fc.Arbitrary<Program> = fc
  .integer({ min: 2, max: 3 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => layout(`t${i}`))))
  .chain((tables) =>
    fc
      .tuple(
        fc.array(foreignKey(tables), { maxLength: 2 }),
        functionDdl(tables, 'f0', []),
        functionDdl(tables, 'f1', ['f0']),
        fc
          .integer({ min: 0, max: 4 })
          .chain((number) => fc.tuple(...Array.from({ length: number }, (_, i) => triggerDdl(tables, ['f0', 'f1'], i)))),
        fc.array(
          fc.record({
            before: weighted<string[]>([1, fc.constant([])], [1, fc.array(schemaChange(tables), { minLength: 1, maxLength: 2 })]),
            steps: steps(statements(tables, ['f0', 'f1'])),
            end: weighted<'commit' | 'rollback'>([5, fc.constant('commit')], [1, fc.constant('rollback')]),
          }),
          { minLength: 2, maxLength: 10 },
        ),
      )
      .map(([foreign, f0, f1, triggers, transactions]) => ({
        ddl: [...tables.map(ddlOf), ...foreign, f0, f1, ...triggers],
        tables: tables.map((table) => table.name),
        transactions: [
          {
            before: [],
            steps: tables.map(({ name }) => ({
              statement: `INSERT INTO ${name} (a, v) SELECT i, i FROM generate_series(0, 6) i ON CONFLICT DO NOTHING`,
            })),
            end: 'commit' as const,
          },
          ...transactions,
        ],
      })),
  );
