import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DEFAULT_FILE, ENCODE_REMEDY, isConnectionUrl, redactUrl, UNPARSABLE_URL } from '../../config/index.ts';
import { SluiceError } from '../../model/error.ts';
import type { Context, Register } from '../context.ts';
import { renderConfigFile } from '../init-file.ts';
import { plural } from '../output.ts';
import { withSource } from '../source.ts';

/** Variables that may hold the URL, the first that is set counts. */
const VARIABLES = ['SLUICE_SOURCE_URL', 'DATABASE_URL'] as const;

interface Given {
  readonly url: string;
  /** What the file refers to instead of a URL that must not stand there. */
  readonly variable: string;
  /** Whether that variable holds this URL already. */
  readonly set: boolean;
}

interface Options {
  readonly url?: string;
  readonly force?: boolean;
}

export const register: Register = (program, bind) => {
  program
    .command('init')
    .description('write a commented sluice.yaml after a look at the database')
    .option('--url <url>', 'postgres://… of the source (default: SLUICE_SOURCE_URL, else DATABASE_URL)')
    .option('--force', 'overwrite an existing file')
    .action(
      bind(async (context, { url, force = false }: Options) => {
        const source = sourceUrl(context, url);
        const tables = await withSource({ source }, (sql, { listTables }) => listTables(sql));
        const text = renderConfigFile({ url: written(source), tables });
        const file = resolve(context.io.cwd, context.configFile ?? DEFAULT_FILE);
        await write(file, text, force);
        await context.print({ file, tables }, () => report(file, source, tables.length));
      }),
    );
};

function sourceUrl({ io: { env } }: Context, option: string | undefined): Given {
  const set = VARIABLES.find((name) => (env[name] ?? '') !== '');
  const url = option ?? (set === undefined ? undefined : env[set]);
  const from = option === undefined && set !== undefined ? set : '--url';
  if (url === undefined || url === '') {
    throw new SluiceError(
      'usage',
      'init needs the URL of the source',
      'Pass --url postgres://user:password@host/database, or set SLUICE_SOURCE_URL or DATABASE_URL.',
    );
  }
  if (!/^postgres(ql)?:\/\//.test(url))
    throw new SluiceError('usage', 'the URL of the source does not begin with postgres://', 'Pass --url postgres://…');
  if (!isConnectionUrl(url)) throw new SluiceError('config_invalid', `${from}: ${UNPARSABLE_URL}.`, ENCODE_REMEDY);
  const variable = VARIABLES.find((name) => env[name] === url);
  return { url, variable: variable ?? 'DATABASE_URL', set: variable !== undefined };
}

/** A password never goes into the file: a URL that holds one, or that is in the environment, is referred to. */
function written({ url, variable, set }: Given): string {
  return set || redactUrl(url).includes('***') ? `\${${variable}}` : url;
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  try {
    // 'wx' fails on an existing file, also on one made in this instant.
    await writeFile(file, text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new SluiceError(
      'file_exists',
      `${file} exists and was left as it is.`,
      'Use --force to overwrite it, or --config to write another.',
    );
  }
}

function report(file: string, source: Given, tables: number): string {
  const lines = [`Wrote ${file} after a look at ${plural(tables, 'table')}.`];
  if (written(source) !== source.url && !source.set) {
    lines.push(`It reads the URL from ${source.variable}: set that variable, the password is not in the file.`);
  }
  return [...lines, 'Next: sluice install, sluice track, sluice run'].join('\n');
}
