import type { LakeConfig } from '../config/index.ts';
import { extensionsFor, loadExtensions, openForQuery, type Row, whileLocked } from '../lake/index.ts';
import type { SourceIdentity } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import { classify, type Fault } from '../model/fault.ts';
import { assertSameSource } from '../pipeline/index.ts';
import type { Io } from './context.ts';
import { lakeExists, placesFor, withEngine } from './lake.ts';
import { plural } from './output.ts';

/** What the lake's own tables say. */
export interface LakeStatus {
  readonly batches: number;
  readonly rows: number;
  /** Cut of the batch applied last, null in an empty lake. */
  readonly lastCut: string | null;
  /** Rows of sluice.gap, oldest first. */
  readonly gaps: readonly Row[];
}

const LEDGER = 'SELECT count(*) AS batches, coalesce(sum("rows"), 0)::BIGINT AS rows, max(cut_ts) AS last_cut FROM sluice.batch';
const GAPS = 'SELECT * FROM sluice.gap ORDER BY ALL';

const SOURCE = `SELECT system_identifier, timeline, "database", epoch FROM sluice.batch WHERE batch_id = (SELECT last_batch_id FROM sluice.anchor)`;

/** What the source says of itself, for the lake to be held against. */
export interface ExpectedLake {
  readonly identity: SourceIdentity;
  /** Batches that the source has finished. */
  readonly done: number;
}

/**
 * Read the lake's side of `status`; a lake that can't be read, or isn't the one of this source, is an answer too. One that isn't made yet is
 * empty, as long as the source has finished nothing.
 */
export async function readLakeStatus(
  config: LakeConfig,
  { identity, done }: ExpectedLake,
  io: Pick<Io, 'stderr'>,
): Promise<LakeStatus | Fault> {
  try {
    if (!(await lakeExists(config))) {
      if (done > 0) throw notThere('lake_missing', 'There is no lake at the configured place', done);
      return { batches: 0, rows: 0, lastCut: null, gaps: [] };
    }
    return await withEngine(config, io, async (engine) => {
      await loadExtensions(engine, extensionsFor(config.lake, 'fifo'), placesFor(config));
      const lake = await whileLocked(() => openForQuery(engine, config.lake));
      const [known] = (await lake.query(SOURCE)).rows;
      if (known !== undefined) assertSameSource(toIdentity(known), identity);
      const [ledger] = (await lake.query(LEDGER)).rows;
      const gaps = (await lake.query(GAPS)).rows;
      // With a gap the daemon has already said what this lake lacks.
      if (known === undefined && gaps.length === 0 && done > 0) throw notThere('lake_empty', 'The lake is empty', done);
      return { batches: Number(ledger?.batches), rows: Number(ledger?.rows), lastCut: ledger?.last_cut?.toString() ?? null, gaps };
    });
  } catch (error) {
    return classify(error);
  }
}

function notThere(code: string, what: string, done: number): SluiceError {
  return new SluiceError(
    code,
    `${what}, but the source has finished ${plural(done, 'batch', 'batches')}.`,
    'Check lake in the configuration (paths are relative to the file), or restore the lake: sluice run would begin a new one, with a gap.',
  );
}

function toIdentity(row: Row): SourceIdentity {
  const { system_identifier, timeline, database, epoch } = row;
  return { systemIdentifier: String(system_identifier), timeline: Number(timeline), database: String(database), epoch: String(epoch) };
}
