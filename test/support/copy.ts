import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Copy a file or a folder, owners and all, beside itself. Returns what puts the copy in the place of what is there then, as often as one likes. */
export async function copyOf(path: string): Promise<() => Promise<void>> {
  const copy = `${path}.copy`;
  await rm(copy, { recursive: true, force: true });
  await run('cp', ['-a', path, copy]);
  return async () => {
    // Of a DuckDB file, what it has not checkpointed.
    for (const one of [path, `${path}.wal`]) if (existsSync(one)) await rm(one, { recursive: true });
    await run('cp', ['-a', copy, path]);
  };
}
