import { SluiceError } from '../model/error.ts';

/** Says whether a table is meant by a list of patterns. */
export type TableMatcher = (table: { readonly schema: string; readonly name: string }) => boolean;

export interface Pattern {
  readonly exclude: boolean;
  /** Both with a group for each wildcard. */
  readonly schema: RegExp;
  readonly name: RegExp;
  readonly wildcards: number;
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
    return parsePattern(pattern).wildcards === 0;
  } catch {
    return false;
  }
}

function literalSegment(name: string): string {
  return /^[^".*?!\s]+$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/**
 * The pattern of one entry. Throws SluiceError `pattern_invalid` for anything that is not `schema.table`.
 */
export function parsePattern(text: string): Pattern {
  const exclude = text.startsWith('!');
  const body = exclude ? text.slice(1) : text;
  const parts = splitName(body);
  if (parts === undefined) {
    const remedy = /^[^".\s]+$/.test(body)
      ? `Write schema and table, for example ${exclude ? '!' : ''}public.${body}.`
      : 'Write schema.table; * and ? are wildcards, names with dots go in double quotes.';
    throw new SluiceError('pattern_invalid', `"${text}" is not a table pattern.`, remedy);
  }
  const [schema, name] = parts;
  return { exclude, schema: segmentPattern(schema), name: segmentPattern(name), wildcards: wildcardsOf(schema) + wildcardsOf(name) };
}

function wildcardsOf({ quoted, text }: Segment): number {
  return quoted ? 0 : text.replace(/[^*?]/g, '').length;
}

/** One side of the dot as it was written. */
export interface Segment {
  readonly quoted: boolean;
  /** Without its quotes. */
  readonly text: string;
}

/** Both sides of the dot; undefined for anything that is not `schema.table`. */
export function splitName(text: string): [Segment, Segment] | undefined {
  const schema = segment(text, 0);
  const name = schema !== undefined && text[schema.end] === '.' ? segment(text, schema.end + 1) : undefined;
  return schema === undefined || name === undefined || name.end !== text.length ? undefined : [schema, name];
}

function segment(text: string, start: number): (Segment & { end: number }) | undefined {
  SEGMENT.lastIndex = start;
  const found = SEGMENT.exec(text)?.[0];
  if (found === undefined) return undefined;
  const quoted = found.startsWith('"');
  return { quoted, text: quoted ? found.slice(1, -1).replaceAll('""', '"') : found, end: start + found.length };
}

/** By characters, not by UTF-16 units: half of one would be no text. */
function segmentPattern({ quoted, text }: Segment): RegExp {
  return new RegExp(`^${quoted ? literalSource(text) : globSource(text)}$`, 'su');
}

function globSource(glob: string): string {
  return glob
    .split(/([*?])/)
    .map((part) => (part === '*' ? '(.*)' : part === '?' ? '(.)' : literalSource(part)))
    .join('');
}

function literalSource(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
