import { SluiceError } from '../model/error.ts';

/** Says whether a table is meant by a list of patterns. */
export type TableMatcher = (table: { readonly schema: string; readonly name: string }) => boolean;

interface Pattern {
  readonly exclude: boolean;
  readonly schema: RegExp;
  readonly name: RegExp;
}

/** One side of the dot: "quoted" (taken literally, "" is a quote) or bare, where * is any text and ? any one character. */
const SEGMENT = /"(?:[^"]|"")+"|[^".]+/y;

/**
 * Compile patterns such as `public.*`, `!public.secrets`, `"odd.schema".orders`. They compare with case, as PostgreSQL stores names.
 * The last pattern that matches a table decides; a table that none matches is left out.
 * Throws SluiceError `pattern_invalid` for anything that is not `schema.table`.
 */
export function compilePatterns(patterns: readonly string[]): TableMatcher {
  const compiled = patterns.map(parsePattern);
  return ({ schema, name }) => compiled.findLast((pattern) => pattern.schema.test(schema) && pattern.name.test(name))?.exclude === false;
}

/** A pattern that matches exactly this table, whatever characters its names hold. */
export function patternFor(schema: string, name: string): string {
  return `${literalSegment(schema)}.${literalSegment(name)}`;
}

/** Whether this is a pattern that means one table by its name. */
export function isExactPattern(pattern: string): boolean {
  if (pattern.startsWith('!')) return false;
  try {
    parsePattern(pattern);
  } catch {
    return false;
  }
  return !/[*?]/.test(pattern.replace(/"(?:[^"]|"")+"/g, ''));
}

function literalSegment(name: string): string {
  return /^[^".*?!\s]+$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function parsePattern(text: string): Pattern {
  const exclude = text.startsWith('!');
  const body = exclude ? text.slice(1) : text;
  const schema = segment(body, 0);
  const name = schema !== undefined && body[schema.end] === '.' ? segment(body, schema.end + 1) : undefined;
  if (schema === undefined || name === undefined || name.end !== body.length) {
    const remedy = /^[^".\s]+$/.test(body)
      ? `Write schema and table, for example ${exclude ? '!' : ''}public.${body}.`
      : 'Write schema.table; * and ? are wildcards, names with dots go in double quotes.';
    throw new SluiceError('pattern_invalid', `"${text}" is not a table pattern.`, remedy);
  }
  return { exclude, schema: schema.pattern, name: name.pattern };
}

function segment(text: string, start: number): { pattern: RegExp; end: number } | undefined {
  SEGMENT.lastIndex = start;
  const found = SEGMENT.exec(text)?.[0];
  if (found === undefined) return undefined;
  const source = found.startsWith('"') ? literalSource(found.slice(1, -1).replaceAll('""', '"')) : globSource(found);
  return { pattern: new RegExp(`^${source}$`, 's'), end: start + found.length };
}

function globSource(glob: string): string {
  return glob
    .split(/([*?])/)
    .map((part) => (part === '*' ? '.*' : part === '?' ? '.' : literalSource(part)))
    .join('');
}

function literalSource(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
