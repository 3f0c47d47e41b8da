import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../src/lake/engine.ts';
import { fifoStager } from '../../src/lake/stage-fifo.ts';
import { testEngine } from './support.ts';

// What the contract suite cannot make a PostgreSQL do at a chosen moment.
let engine: Engine;
beforeAll(async () => {
  engine = await testEngine([], { threads: 1 });
});
afterAll(() => engine.close());

const contents = { batch: 'b', rows: 1, bytes: 0, toasted: 0, sentinel: true, tables: {}, changes: {} };
const row = '1,1,2026-11-21 10:00:00+00,I,1,{},\n';
const stage = (copyCsv: () => Promise<Readable>) => fifoStager(engine).stage({ dsn: 'postgres://h/x', query: '', copyCsv }, contents);

test('the engine fails while the source still writes: the source is stopped, nothing hangs', async () => {
  let source: Readable | undefined;
  const endless = async function* () {
    yield `no number,1,2026-11-21 10:00:00+00,I,1,{},\n`;
    for (;;) yield row.repeat(1000);
  };
  const failure = await stage(async () => {
    source = Readable.from(endless());
    return source;
  }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'stage_failed' });
  expect(source?.destroyed).toBe(true);
});

test('the source fails before its first byte: at once, later, and in the middle of a row', async () => {
  const boom = new Error('source went away');
  await expect(stage(() => Promise.reject(boom))).rejects.toMatchObject({ code: 'stage_failed', cause: boom });
  const broken = new Readable({ read: () => undefined });
  broken.on('error', () => undefined);
  broken.destroy(boom);
  await expect(stage(async () => broken)).rejects.toMatchObject({ code: 'stage_failed' });
  for (const text of ['', row.slice(0, 9), row]) {
    const dying = async function* () {
      if (text !== '') yield text;
      await sleep(30);
      throw boom;
    };
    await expect(stage(async () => Readable.from(dying()))).rejects.toMatchObject({ code: 'stage_failed', cause: boom });
  }
  expect(await stage(async () => Readable.from([row]))).toMatchObject({ contents });
});

test('the source is done before the engine looks', async () => {
  for (let i = 0; i < 20; i += 1) expect(await stage(async () => Readable.from([row]))).toMatchObject({ contents });
});
