import { stat } from 'node:fs/promises';
import { type Config, configOptions, type LakeConfig, redactUrl } from '../config/index.ts';
import { type Engine, extensionsFor, openLake, resolveExtension, whileLocked } from '../lake/index.ts';
import type { SourceIdentity } from '../model/batch.ts';
import { classify } from '../model/fault.ts';
import { assertSameSource } from '../pipeline/index.ts';
import type { Finding } from '../source/index.ts';
import type { Context, Io } from './context.ts';
import { placesFor, withEngine } from './lake.ts';
import { readIdentity, withSource } from './source.ts';

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
    return await withSource(config, (sql, { diagnose }) => diagnose(sql));
  } catch (error) {
    return [failed('source', error)];
  }
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
      return [...findings, await checkWriting(engine, config)];
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

async function checkWriting(engine: Engine, config: Config): Promise<Finding> {
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
    return ok('lake', `opened and written to: ${place}`);
  } catch (error) {
    const { message, remedy } = classify(error);
    return { level: 'error', check: 'lake', message: `${message} (${place})`, remedy };
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
