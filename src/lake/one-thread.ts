import type { Engine, Sql } from './engine.ts';

/** Run `step`, statements on `sql`, while the engine has one thread. */
export type OnOneThread = (sql: Sql, step: () => Promise<void>) => Promise<void>;

/** The same of all of `work`: every statement of it would wake the other threads, and they spin while they wait for the next. Not within a transaction. */
export async function onlyOneThread<T>(engine: Engine, work: (onOneThread: OnOneThread) => Promise<T>): Promise<T> {
  return withOneThread(engine, async () => {
    await engine.run('SET threads = 1');
    return work((_, step) => step());
  });
}

/**
 * Hand `work` the means to run steps of its transaction on one thread; however it ends, the engine has its threads back. Nobody else may set them
 * meanwhile. It takes two statements: what follows the step in the transaction needs all threads, and a transaction that a failure has aborted
 * refuses SET, so that after the step alone a failed batch would leave one thread to all later ones.
 */
export async function withOneThread<T>(engine: Engine, work: (onOneThread: OnOneThread) => Promise<T>): Promise<T> {
  const threads = Number((await engine.rows("SELECT current_setting('threads') AS n"))[0]?.n);
  const restore = (sql: Sql) => sql.run(`SET threads = ${threads}`);
  try {
    return await work(async (sql, step) => {
      await sql.run('SET threads = 1');
      await step();
      await restore(sql);
    });
  } finally {
    await restore(engine);
  }
}
