import { SluiceError } from '../model/error.ts';
import { isReservedSchema } from '../model/lake-names.ts';
import type { Rename } from './config.ts';
import { parsePattern, type Segment, splitName } from './patterns.ts';

interface Name {
  readonly schema: string;
  readonly name: string;
}

/** What a table of the source is to be called in the lake; undefined: as in the source. */
export type LakeNamer = (table: Name) => Name | undefined;

/**
 * Compile entries such as `{ table: 'shard_*.*', rename: 'shop.$2_$1' }`. `$1` … are what the wildcards of `table` stood for, counted from the left;
 * in double quotes nothing is special, as in a pattern. The last entry that matches a table decides. Where schema or name would come out empty or
 * too long, the table is called as in the source: a rename there must not end the daemon.
 * Throws SluiceError `pattern_invalid` for a wrong `table`, `rename_invalid` for a wrong `rename`.
 */
export function compileRenames(renames: readonly Rename[]): LakeNamer {
  const compiled = renames.map(compileRename);
  return (table) => {
    const found = compiled.map((one) => one(table)).findLast((name) => name !== undefined);
    return found && fits(found.schema) && fits(found.name) ? found : undefined;
  };
}

/** Bytes. A DuckLake makes folders of these names, which hold 255, and we put something before and behind them. PostgreSQL's have 63. */
const LONGEST = 200;

function fits(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= LONGEST;
}

function compileRename({ table, rename }: Rename): LakeNamer {
  const pattern = parsePattern(table);
  if (pattern.exclude) throw new SluiceError('pattern_invalid', 'an excluded table has no name in the lake', 'Leave out the !.');
  const parts = splitName(rename);
  if (parts === undefined) throw invalid("expected schema and table, such as 'shop.$1'; names with dots go in double quotes");
  for (const part of parts) assertPart(part, pattern.wildcards);
  if (parts.some((part) => Buffer.byteLength(fill(part, [])) > LONGEST))
    throw invalid(`schema and table have at most ${LONGEST} bytes each`);
  const [schema, name] = parts;
  if (isReservedSchema(fill(schema, [])))
    throw invalid('the lake keeps this schema, and those that end in _changes or _history, for itself');
  return (one) => {
    const [inSchema, inName] = [pattern.schema.exec(one.schema), pattern.name.exec(one.name)];
    if (inSchema === null || inName === null) return undefined;
    const values = [...inSchema.slice(1), ...inName.slice(1)];
    return { schema: fill(schema, values), name: fill(name, values) };
  };
}

const PLACEHOLDER = /\$(\d+)/g;

function fill({ quoted, text }: Segment, values: readonly string[]): string {
  return quoted ? text : text.replace(PLACEHOLDER, (_, number) => values[Number(number) - 1] ?? '');
}

function assertPart({ quoted, text }: Segment, wildcards: number): void {
  if (quoted) return;
  if (/[*?!]/.test(text))
    throw invalid('$1 stands for what the first wildcard of table stood for, $2 for the second; * and ? have no meaning here');
  const beyond = [...text.matchAll(PLACEHOLDER)].find(([, number]) => Number(number) < 1 || Number(number) > wildcards);
  if (beyond) throw invalid(`${beyond[0]} is nothing: table has ${wildcards === 0 ? 'no wildcard' : `wildcards $1 to $${wildcards}`}`);
}

function invalid(message: string): SluiceError {
  return new SluiceError('rename_invalid', message, 'docs/configuration.md shows how tables are renamed.');
}
