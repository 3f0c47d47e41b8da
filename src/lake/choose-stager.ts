import { SluiceError } from '../model/error.ts';
import type { Stager } from '../pipeline/ports.ts';
import type { Engine } from './engine.ts';
import { type ExtensionPlaces, resolveExtension } from './extensions.ts';
import { fifoStager } from './stage-fifo.ts';
import { postgresStager } from './stage-postgres.ts';

/**
 * The stager for this machine. 'extension' rejects with `extension_missing` where there is none, 'fifo' never looks, 'auto' takes the
 * extension where it can be loaded and else the FIFO.
 */
export async function chooseStager(
  engine: Engine,
  places: ExtensionPlaces,
  staging: 'auto' | 'extension' | 'fifo',
  streamRows?: number,
): Promise<{ stager: Stager; way: 'extension' | 'fifo' }> {
  if (staging !== 'fifo') {
    try {
      await resolveExtension(engine, 'postgres_scanner', places);
      return { stager: postgresStager(engine, streamRows), way: 'extension' };
    } catch (error) {
      if (staging === 'extension' || !(error instanceof SluiceError)) throw error;
      engine.log.info({ reason: error.code }, 'staging through a FIFO: the postgres extension cannot be loaded');
    }
  }
  return { stager: fifoStager(engine), way: 'fifo' };
}
