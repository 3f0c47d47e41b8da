import type { ExtensionWay } from '../../lake/index.ts';
import { classify } from '../../model/fault.ts';
import type { Context, Register } from '../context.ts';
import { renderTable } from '../output.ts';
import { withProgress } from '../progress.ts';

/** What became of one extension; `way` and `file` when it can be used, `problem` when not. */
interface Finding {
  readonly name: string;
  readonly usable: boolean;
  readonly way?: ExtensionWay;
  readonly file?: string;
  readonly problem?: string;
  readonly remedy?: string;
}

const WAYS: Readonly<Record<ExtensionWay, string>> = {
  loaded: 'built in',
  installed: 'installed in DuckDB',
  install: 'installed now by DuckDB',
  directory: 'in extensions.directory',
  cache: 'in the cache of sluice',
  pip: 'downloaded now by pip',
};

export const register: Register = (program, bind) => {
  program
    .command('extensions')
    .description('show the DuckDB extensions that the configured lake needs; exit 1 if one is missing')
    .option('--install', 'get the missing ones: INSTALL of DuckDB, extensions.directory, or pip download')
    .action(
      bind(async (context, { install = false }: { install?: boolean }) => {
        const { version, platform, extensions } = await look(context, install);
        if (extensions.some(({ usable }) => !usable)) context.exitCode = 1;
        await context.print({ engine: version, platform, extensions }, () => report(context, version, platform, extensions));
      }),
    );
};

async function look(context: Context, install: boolean): Promise<{ version: string; platform: string; extensions: Finding[] }> {
  const [{ withEngine, placesFor }, { extensionsFor, installExtension, resolveExtension }] = await Promise.all([
    import('../lake.ts'),
    import('../../lake/index.ts'),
  ]);
  const config = context.lakeConfig();
  return withEngine(config, context.io, async (engine) => {
    // The fast way to read batches needs an extension too, whatever this lake is.
    const names = extensionsFor(config.lake, 'extension');
    const label = { label: 'extensions', total: names.length, unit: 'extensions' };
    const extensions = await withProgress(context, label, async ({ update }) => {
      const findings: Finding[] = [];
      for (const name of names) {
        const get = install ? installExtension : resolveExtension;
        const finding = await get(engine, name, placesFor(config)).then(
          ({ way, file }): Finding => ({ name, usable: true, way, ...(file === undefined ? {} : { file }) }),
          (error: unknown): Finding => {
            const { message, remedy } = classify(error);
            return { name, usable: false, problem: message, remedy };
          },
        );
        findings.push(finding);
        update(findings.length);
      }
      return findings;
    });
    return { version: engine.version, platform: engine.platform, extensions };
  });
}

function report(context: Context, version: string, platform: string, extensions: readonly Finding[]): string {
  const rows = extensions.map(({ name, way, file, problem }) => [name, way === undefined ? 'missing' : WAYS[way], file ?? problem]);
  const remedies = [...new Set(extensions.flatMap(({ remedy }) => (remedy === undefined ? [] : [remedy])))];
  const table = renderTable(context.io.stdout, [{ head: 'extension' }, { head: 'state' }, { head: '' }], rows);
  return [`DuckDB ${version}, ${platform}`, table, ...remedies].join('\n');
}
