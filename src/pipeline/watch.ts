import type { Logger } from 'pino';
import type { Source } from './ports.ts';

/** Finds tables that DDL has changed since the lake last followed it, and those whose triggers were off. */
export interface Watch {
  /** Ids of tables whose entry in the catalogue has changed, and when it was read. None where it was read a moment ago, unless `now`. */
  look(now?: boolean): Promise<Looked>;
}

export interface Looked {
  readonly ids: readonly number[];
  readonly cut: string;
  /** Loads of tables were asked for. */
  readonly requested: boolean;
  /** The lake has followed: don't name these again. */
  followed(): void;
}

/** 1,000 tables of ten columns cost the source 30 to 50 ms a look and the daemon 4, so less than 1 % of a core. */
const INTERVAL_MS = 10_000;

const NOTHING: Looked = { ids: [], cut: '', requested: false, followed: () => {} };

const BYPASSED = {
  off: 'triggers of a table are missing or disabled: changes of it are lost until they are back (sluice track, ENABLE TRIGGER); then it is loaded again',
  load: 'triggers of a table were missing or disabled: it is loaded again',
} as const;

/**
 * The versions only save work: a table is held against the lake's registry before anything is done, so a process that starts, or forgets, looks at all
 * tables once.
 */
export function createWatch({ source, log }: { source: Pick<Source, 'catalogue' | 'checkTriggers'>; log: Logger }): Watch {
  let seen: ReadonlyMap<number, string> = new Map();
  let checked = seen;
  let notBefore = 0;
  return {
    async look(now = false) {
      if (!now && Date.now() < notBefore) return NOTHING;
      notBefore = Date.now() + INTERVAL_MS;
      const { versions, cut } = await source.catalogue();
      const changed = (since: typeof seen) => [...versions].filter(([id, version]) => since.get(id) !== version).map(([id]) => id);
      const ids = changed(seen);
      const found = await source.checkTriggers(changed(checked));
      checked = versions;
      for (const { id, schema, name, state } of found) log.warn({ table: id, schema, name }, BYPASSED[state]);
      const requested = found.some(({ state }) => state === 'load');
      const followed = () => {
        seen = versions;
      };
      return { ids, cut, requested, followed };
    },
  };
}
