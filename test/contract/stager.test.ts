import { afterAll, beforeAll, describe } from 'vitest';
import type { Engine } from '../../src/lake/engine.ts';
import { fewStager } from '../../src/lake/stage-few.ts';
import { fifoStager } from '../../src/lake/stage-fifo.ts';
import { postgresStager } from '../../src/lake/stage-postgres.ts';
import { testEngine } from '../lake/support.ts';
import { testVersions } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { stagerContract } from './stager.ts';

for (const version of testVersions()) {
  describe(`PostgreSQL ${version}`, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await testEngine(['postgres_scanner'], { threads: 2 });
    });
    afterAll(() => engine.close());
    const server = () => sharedPostgres(version);
    stagerContract('postgres extension', () => ({ engine, stager: postgresStager(engine), server: server() }));
    stagerContract('postgres extension, streaming', () => ({ engine, stager: postgresStager(engine, 0), server: server() }), {
      streams: true,
    });
    stagerContract('few changes', () => ({ engine, stager: fewStager(engine, postgresStager(engine)), server: server() }), { few: true });
    stagerContract('FIFO', () => ({ engine, stager: fifoStager(engine), server: server() }));
  });
}
