import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);
/** A wheel is 12 to 30 MB; a proxy that swallows packets must not hang the command for ever. */
const DOWNLOAD_MS = 180_000;

/**
 * Fetch the wheel of a DuckDB extension with pip (so with the user's own index and proxy settings) and put the extension's file into
 * `directory`. The version must be the engine's. Rejects with a plain Error that says why.
 */
export async function downloadWheel(name: string, version: string, directory: string): Promise<void> {
  const python = await findPython();
  const work = await mkdtemp(join(tmpdir(), 'sluice-wheel-'));
  try {
    const wanted = `duckdb-extension-${name.replaceAll('_', '-')}==${version}`;
    const pip = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--no-input', '-q'];
    await run(python, [...pip, '-d', work, wanted]);
    const wheel = (await readdir(work)).find((file) => file.endsWith('.whl'));
    if (wheel === undefined) throw new Error(`pip download of ${wanted} left no wheel`);
    await run(python, ['-m', 'zipfile', '-e', join(work, wheel), work]);
    const file = `${name}.duckdb_extension`;
    await mkdir(directory, { recursive: true });
    // Renamed into place, so that a reader never loads half a file.
    const partial = join(directory, `.${file}.${process.pid}`);
    await copyFile(join(work, `duckdb_extension_${name}`, 'extensions', `v${version}`, file), partial);
    await rename(partial, join(directory, file));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function findPython(): Promise<string> {
  for (const python of ['python3', 'python']) {
    const works = await exec(python, ['-m', 'pip', '--version'], { timeout: 20_000 }).then(
      () => true,
      () => false,
    );
    if (works) return python;
  }
  throw new Error('neither python3 nor python with pip is on the PATH');
}

async function run(command: string, args: readonly string[]): Promise<void> {
  try {
    await exec(command, args, { timeout: DOWNLOAD_MS });
  } catch (error) {
    const stderr = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
    throw new Error(`${command} ${args.slice(0, 3).join(' ')} failed: ${stderr || (error as Error).message.split('\n')[0]}`);
  }
}
