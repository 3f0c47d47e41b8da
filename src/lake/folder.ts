import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Make a folder with those above it; one that is there already is fine. Not `mkdir(…, { recursive: true })`: where an existing folder refuses
 * a new one with ENOENT, as /proc does, Node tries for ever.
 * @throws the error of `mkdir` (EACCES, ENOTDIR, EROFS, ENOSPC, ENOENT, …)
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (await isFolder(path)) return;
    const above = dirname(path);
    if (code !== 'ENOENT' || (await isFolder(above))) throw error;
    await makeFolder(above);
    await mkdir(path).catch(async (again: unknown) => {
      // Somebody else made it meanwhile.
      if (!(await isFolder(path))) throw again;
    });
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
