import { readFile, writeFile } from 'node:fs/promises';
import pino from 'pino';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { matchLake } from '../../src/pipeline/index.ts';
import { uninstall } from '../../src/source/index.ts';
import { composeForTest } from '../support/compose.ts';
import { sharedPostgres } from '../support/shared.ts';
import { createScene } from './scene.ts';

test('what was drained into another lake, or lost with schema audit, is named as a gap of this one', async () => {
  await using scene = await createScene(sharedPostgres(), 'DuckDB file');
  const gaps = () => scene.query('SELECT cause, from_ts < to_ts AS forward FROM sluice.gap ORDER BY noted_ts');
  const here = await readFile(scene.config, 'utf8');
  await scene.sql`INSERT INTO journal (what) VALUES ('here')`;
  await scene.drain();
  expect(await gaps()).toEqual([]);

  await writeFile(scene.config, here.replace('./lake.duckdb', './other.duckdb'));
  await scene.sql`INSERT INTO journal (what) VALUES ('elsewhere')`;
  await scene.drain();
  expect(await gaps()).toEqual([{ cause: 'other_lake', forward: true }]);

  await writeFile(scene.config, here);
  await scene.drain();
  await scene.drain();
  expect(await gaps()).toEqual([{ cause: 'other_lake', forward: true }]);

  await uninstall(scene.sql);
  await scene.install();
  const errors: string[] = [];
  const config = loadConfig({ file: scene.config, env: process.env, cwd: process.cwd(), flags: {} });
  const log = pino({ level: 'error' }, { write: (line) => errors.push(line) });
  await using composition = await composeForTest({ config, log });
  for (let leadership = 1; leadership <= 3; leadership++) await matchLake(composition.ports);
  expect(errors, 'a gap is logged when it is written, not by each leadership').toHaveLength(1);

  await scene.sql`INSERT INTO journal (what) VALUES ('again')`;
  await scene.drain();
  expect((await gaps()).map((gap) => gap.cause)).toEqual(['other_lake', 'new_epoch']);
});
