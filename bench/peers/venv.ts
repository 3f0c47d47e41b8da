import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

const INSTALL_MS = 900_000;

export const PEERS = ['dlt', 'sling', 'ingestr'] as const;
export type PeerName = (typeof PEERS)[number];

/** A peer on this machine. */
export interface Venv {
  readonly name: PeerName;
  readonly version: string;
  /** Of its executables. */
  readonly bin: string;
  /** Of its modules. */
  readonly packages: string;
  /** For the variable HOME: DuckDB finds its extensions there, and nobody's own settings are read or changed. */
  readonly home: string;
}

/** Why a peer is not on this machine. */
export interface Missing {
  readonly name: PeerName;
  readonly version: string;
  readonly missing: string;
}

/**
 * A peer in a virtual environment of its own (they need different versions of the same packages), as its requirements file pins it. Resolves with the
 * reason where it can't be had.
 * @param folder for all peers, outside the repository
 * @param install whether to fetch it where it is not there yet: some hundred MB from PyPI
 */
export async function findPeer(name: PeerName, { folder, install }: { folder: string; install: boolean }): Promise<Venv | Missing> {
  const requirements = join(import.meta.dirname, `requirements-${name}.txt`);
  const pins = await readFile(requirements, 'utf8');
  const version = new RegExp(`^${name}==(\\S+)`, 'm').exec(pins)?.[1] ?? 'unknown';
  const root = join(folder, `${name}-${createHash('sha256').update(pins).digest('hex').slice(0, 12)}`);
  const done = join(root, 'installed');
  try {
    if (!(await exists(done))) {
      if (!install) return { name, version, missing: 'not installed; a full run installs it' };
      // What an interrupted installation has left.
      await rm(root, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', root]);
      const pip = ['-m', 'pip', 'install', '--only-binary=:all:', '--disable-pip-version-check', '--no-input', '-q'];
      await run(join(root, 'bin', 'python'), [...pip, '-r', requirements]);
      await linkExtensions(root);
      await writeFile(done, '');
    }
    return { name, version, bin: join(root, 'bin'), packages: await packagesOf(root), home: join(root, 'home') };
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    return { name, version, missing: stderr.trim().split('\n').at(-1) || message };
  }
}

/** Where DuckDB looks for extensions below HOME. Wheels have them in their packages. */
async function linkExtensions(root: string): Promise<void> {
  const packages = await packagesOf(root);
  const os = process.platform === 'darwin' ? 'osx' : process.platform;
  const platform = `${os}_${process.arch === 'x64' ? 'amd64' : process.arch}`;
  for (const name of await readdir(packages)) {
    const [, extension] = /^duckdb_extension_(\w+)$/.exec(name) ?? [];
    if (extension === undefined) continue;
    const versions = join(packages, name, 'extensions');
    for (const version of await readdir(versions)) {
      const target = join(root, 'home', '.duckdb', 'extensions', version, platform);
      await mkdir(target, { recursive: true });
      const file = `${extension}.duckdb_extension`;
      await symlink(join(versions, version, file), join(target, file));
    }
  }
}

async function packagesOf(root: string): Promise<string> {
  const [python] = (await readdir(join(root, 'lib'))).filter((name) => name.startsWith('python'));
  if (python === undefined) throw new Error(`${root} is no virtual environment`);
  return join(root, 'lib', python, 'site-packages');
}

async function run(command: string, args: readonly string[]): Promise<void> {
  await exec(command, args, { timeout: INSTALL_MS, maxBuffer: 2 ** 26 });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
