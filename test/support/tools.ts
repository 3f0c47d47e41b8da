import { existsSync, readdirSync } from 'node:fs';

/** The folder of a client program (pg_dump, psql, pg_basebackup) of Debian's packages, if it is here; the embedded servers come without them. */
export function toolFolder(program: string): string | undefined {
  const root = '/usr/lib/postgresql';
  const folders = existsSync(root) ? readdirSync(root).map((version) => `${root}/${version}/bin`) : [];
  return folders.find((folder) => existsSync(`${folder}/${program}`));
}
