import { SluiceError } from '../model/error.ts';
import type { Stager } from '../pipeline/ports.ts';
import type { Engine } from './engine.ts';
import { type ExtensionPlaces, resolveExtension } from './extensions.ts';
import type { RowSource } from './row-source.ts';
import { fewStager } from './stage-few.ts';
import { fifoRows, fifoStager } from './stage-fifo.ts';
import { postgresRows, postgresStager } from './stage-postgres.ts';

/**
 * The stager for this machine, and how rows are read for loads. 'extension' rejects with `extension_missing` where there is none, 'fifo' never looks, 'auto' takes the
 * extension where it can be loaded and else the FIFO.
 */
export async function chooseStager(
  engine: Engine,
  places: ExtensionPlaces,
  staging: 'auto' | 'extension' | 'fifo',
  streamRows?: number,
): Promise<{ stager: Stager; rows: RowSource; way: 'extension' | 'fifo' }> {
  if (staging !== 'fifo') {
    try {
      await resolveExtension(engine, 'postgres_scanner', places);
      return { stager: fewStager(engine, postgresStager(engine, streamRows), streamRows), rows: postgresRows(), way: 'extension' };
    } catch (error) {
      if (staging === 'extension' || !(error instanceof SluiceError)) throw error;
      engine.log.info({ reason: error.code }, 'staging through a FIFO: the postgres extension cannot be loaded');
    }
  }
  return { stager: fewStager(engine, fifoStager(engine)), rows: fifoRows(engine), way: 'fifo' };
}
