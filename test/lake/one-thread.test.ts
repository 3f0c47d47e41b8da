import { expect, test } from 'vitest';
import type { Sql } from '../../src/lake/engine.ts';
import { withOneThread } from '../../src/lake/one-thread.ts';
import { testEngine } from './support.ts';

const threads = async (sql: Pick<Sql, 'rows'>) => Number((await sql.rows("SELECT current_setting('threads') AS n"))[0]?.n);

test('the engine has its threads back after the step, and after one that aborted its transaction', async () => {
  const engine = await testEngine([], { threads: 2 });
  try {
    const seen: number[] = [];
    const transaction = (text: string) =>
      withOneThread(engine, (onOneThread) =>
        engine.exclusive(async (sql) => {
          await sql.run('BEGIN');
          try {
            await onOneThread(sql, async () => {
              seen.push(await threads(sql));
              await sql.run(text);
            });
            seen.push(await threads(sql));
          } finally {
            await sql.run('ROLLBACK');
          }
        }),
      );
    await transaction('CREATE TEMP TABLE one (n INTEGER PRIMARY KEY)');
    expect([...seen, await threads(engine)]).toEqual([1, 2, 2]);
    await engine.run('CREATE TEMP TABLE one (n INTEGER PRIMARY KEY)');
    await expect(transaction('INSERT INTO one VALUES (1), (1)')).rejects.toThrow('Constraint Error');
    expect(await threads(engine)).toBe(2);
  } finally {
    await engine.close();
  }
});
