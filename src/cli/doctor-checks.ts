import { stat } from 'node:fs/promises';
import { type Config, configOptions, type LakeConfig, redactUrl } from '../config/index.ts';
import { type Engine, extensionsFor, openLake, readRegistry, resolveExtension, whileLocked } from '../lake/index.ts';
import type { SourceIdentity } from '../model/batch.ts';
import { evolve, type SchemaChange } from '../model/evolution.ts';
import { classify } from '../model/fault.ts';
import { sameName, wantedName } from '../model/lake-place.ts';
import type { LakeTable, SourceTable } from '../model/table.ts';
import { assertSameSource } from '../pipeline/index.ts';
import type { Finding, TrackedColumns, TrackOptions } from '../source/index.ts';
import { misfits } from './column-types.ts';
import type { Context, Io } from './context.ts';
import { placesFor, withEngine } from './lake.ts';
import { readIdentity, readTrackedTables, withSource } from './source.ts';
import { collidingTables, tableLabel, tableOptions } from './tables.ts';

/** What is wrong as a finding, with the remedy that goes with the error. */
function failed(check: string, error: unknown): Finding {
  const { message, remedy } = classify(error);
  return { level: 'error', check, message, remedy };
}

const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message, remedy: '' });

/** Where the configuration came from, and variables that look like options but are none. */
export function checkConfig(config: Config, { io }: Context): Finding[] {
  const known = new Set(configOptions.map(({ variable }) => variable));
  const strange = Object.keys(io.env).filter((name) => name.startsWith('SLUICE_') && !known.has(name));
  const findings = [ok('config', config.file ?? 'from the environment alone')];
  if (strange.length > 0) {
    const message = `${strange.sort().join(', ')} in the environment is no option of sluice`;
    findings.push({ level: 'warning', check: 'config', message, remedy: 'Check the spelling: docs/configuration.md lists the variables.' });
  }
  return findings;
}

export async function checkSource(config: Config): Promise<Finding[]> {
  try {
    return await withSource(config, async (sql, { diagnose, readColumns }) => {
      const findings = await diagnose(sql);
      if (!findings.some(({ check, level }) => check === 'install' && level === 'ok')) return findings;
      const optionsOf = tableOptions(config);
      const tracked = await readColumns(sql);
      return [...findings, ...tracked.flatMap((table) => checkOptions(table, optionsOf(table))), ...checkRenames(config, tracked)];
    });
  } catch (error) {
    return [failed('source', error)];
  }
}

function checkRenames(config: Config, tables: readonly TrackedColumns[]): Finding[] {
  return collidingTables(config, tables).map(({ pair: [one, other], label }) => ({
    level: 'warning',
    check: tableLabel(other),
    message: `rename gives it the name ${label} in the lake, as it does ${tableLabel(one)}: one of them gets the suffix _2`,
    remedy: 'Let rename tell them apart, by $1 and so on, and start the daemon again.',
  }));
}

/** Whether a table's options fit its columns, and sluice.yaml says what it is tracked with. `wanted`: what sluice.yaml says, if anything. */
export function checkOptions(table: TrackedColumns, wanted: TrackOptions | undefined): Finding[] {
  const check = tableLabel(table);
  const remedy = 'Correct its options in `tables`, then run `sluice track`.';
  const findings = misfits(table.columns, wanted?.types ?? table.types).map(
    ({ message, ends }): Finding => ({ level: ends ? 'error' : 'warning', check, message, remedy }),
  );
  if (wanted === undefined) return findings;
  const rules = Object.fromEntries(table.columns.flatMap(({ name, rule }) => (rule === null ? [] : [[name, rule]])));
  const wantedRules = { ...Object.fromEntries((wanted.exclude ?? []).map((name) => [name, 'exclude'])), ...wanted.mask };
  const differ = [
    ...(same(rules, wantedRules) ? [] : ['exclude or mask']),
    ...(same(table.types, wanted.types ?? {}) ? [] : ['types']),
    ...(table.evolve === (wanted.evolve ?? 'follow') ? [] : ['evolve']),
    ...(table.capture === wanted.capture ? [] : ['capture']),
  ];
  if (differ.length === 0) return findings;
  const message = `sluice.yaml has changed what it is tracked with: ${differ.join(', ')}`;
  return [...findings, { level: 'warning', check, message, remedy: 'Run `sluice track`: only that applies it.' }];
}

function same(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const sorted = (record: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(record).sort());
  return sorted(one) === sorted(other);
}

/** Tables set to freeze or stop that differ from what the lake has of them, and those whose `rename` the daemon does not know yet. */
export function checkEvolve(known: readonly LakeTable[], tables: readonly SourceTable[]): Finding[] {
  return tables.flatMap((now): Finding[] => {
    const table = known.find(({ id, dropped }) => id === now.id && !dropped);
    if (table === undefined) return [];
    const check = tableLabel(now);
    const all = changesOf(table, now);
    const renamed = sameName(table.source, now) && all.some(({ change }) => change === 'table_renamed');
    if (renamed && now.evolve !== 'freeze') {
      const message = `is to be ${tableLabel(wantedName(now))} in the lake by its rename, and is ${tableLabel(table.lake)} so far`;
      return [{ level: 'warning', check, message, remedy: 'Start the daemon again: it reads sluice.yaml when it starts.' }];
    }
    const changes = all.map(describeChange).join(', ');
    if (now.evolve === 'follow' || changes === '') return [];
    if (now.evolve === 'freeze') {
      const remedy = 'Leave it so: the log has all of it. Or set evolve: follow in sluice.yaml and run `sluice track`.';
      return [{ level: 'warning', check, message: `is frozen, and the lake does not follow: ${changes}`, remedy }];
    }
    const remedy =
      'Set evolve: follow for it in sluice.yaml, run `sluice track`, and start the daemon again. Nothing is lost: its changes wait.';
    return [{ level: 'error', check, message: `is set to evolve: stop and has changed, which ends the daemon: ${changes}`, remedy }];
  });
}

function changesOf(table: LakeTable, now: SourceTable): readonly SchemaChange[] {
  try {
    return evolve(table, { ...now, evolve: 'follow' }, []).changes;
  } catch {
    // A choice in `types:` that does not fit has a finding of its own.
    return [];
  }
}

function describeChange(change: SchemaChange): string {
  return 'column' in change ? `${change.change} ${change.column.source}` : change.change;
}

/** Whose lake it has to be. Undefined where the source can't say: its own check has told why. */
const identityOf = (config: Config): Promise<SourceIdentity | undefined> => readIdentity(config).catch(() => undefined);

/** Engine, extensions, then the lake itself: opened and written to as the daemon would, so it is made if it is missing. */
export async function checkLake(config: Config, io: Io): Promise<Finding[]> {
  try {
    return await withEngine(config, io, async (engine) => {
      const extensions = await checkExtensions(engine, config);
      const findings = [ok('engine', `DuckDB ${engine.version}, ${engine.platform}`), ...(await checkSpace(config)), ...extensions];
      if (extensions.some(({ level }) => level === 'error')) return findings;
      return [...findings, ...(await checkWriting(engine, config))];
    });
  } catch (error) {
    return [failed('engine', error)];
  }
}

async function checkSpace({ tempDirectory }: LakeConfig): Promise<Finding[]> {
  if (tempDirectory === undefined) return [];
  const there = await stat(tempDirectory).catch(() => undefined);
  if (there === undefined || there.isDirectory()) return [];
  return [{ level: 'error', check: 'temp_directory', message: `${tempDirectory} is no folder`, remedy: 'Set temp_directory to a folder.' }];
}

async function checkExtensions(engine: Engine, config: Config): Promise<Finding[]> {
  const needed = extensionsFor(config.lake, config.staging === 'extension' ? 'extension' : 'fifo');
  const findings: Finding[] = [];
  for (const name of extensionsFor(config.lake, config.staging === 'fifo' ? 'fifo' : 'extension')) {
    const finding = await resolveExtension(engine, name, placesFor(config)).then(
      () => ok('extensions', `${name} can be loaded`),
      (error: unknown) => failed('extensions', error),
    );
    if (finding.level === 'ok' || needed.includes(name)) findings.push(finding);
    else findings.push({ ...finding, level: 'warning', message: `${finding.message}: batches are read the slow way, through a FIFO` });
  }
  return findings;
}

/** More rows than `lake.inline_rows` usually is, so that a file must be written to the data path. */
const PROBE_ROWS = 5_000;

async function checkWriting(engine: Engine, config: Config): Promise<Finding[]> {
  const place =
    config.lake.type === 'duckdb' ? config.lake.path : `${redactUrl(config.lake.catalog)}, data in ${redactPath(config.lake.data)}`;
  const lake = openLake(engine, config.lake);
  try {
    const identity = await identityOf(config);
    await whileLocked(() => lake.acquire());
    if (identity !== undefined) assertSameSource(await lake.source(), identity);
    await engine.exclusive(async (sql) => {
      // Rolled back: the data file goes again.
      await sql.run('BEGIN');
      await sql.run(
        `CREATE TABLE lake.sluice.doctor_probe AS SELECT range AS n FROM range(${Math.max(PROBE_ROWS, inlineRows(config) + 1)})`,
      );
      await sql.run('ROLLBACK');
      // Committed: only that shows that the catalog may be written. An empty table leaves no file behind, and no daemon's batch conflicts with it.
      await sql.run('CREATE OR REPLACE TABLE lake.sluice.doctor_probe (n BIGINT)');
      await sql.run('DROP TABLE lake.sluice.doctor_probe');
    });
    const known = await engine.exclusive((sql) => readRegistry(sql));
    const tables = identity === undefined ? [] : await readTrackedTables(config);
    return [ok('lake', `opened and written to: ${place}`), ...checkEvolve(known, tables)];
  } catch (error) {
    const { message, remedy } = classify(error);
    return [{ level: 'error', check: 'lake', message: `${message} (${place})`, remedy }];
  } finally {
    await lake.close();
  }
}

function inlineRows({ lake }: Config): number {
  return lake.type === 'ducklake' ? lake.inlineRows : 0;
}

function redactPath(path: string): string {
  return path.includes('://') ? redactUrl(path) : path;
}
