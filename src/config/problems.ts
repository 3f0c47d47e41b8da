import type { z } from 'zod';
import { SluiceError } from '../model/error.ts';
import { ENCODE_REMEDY, UNPARSABLE_URL } from './connection-url.ts';
import { configOptions } from './options.ts';
import { TABLE_KEYS } from './schema.ts';

const REFERENCE = 'docs/configuration.md lists all keys.';

/** One error for all that the schema found: an unknown key first, for it usually explains the rest. Never holds a value. */
export function configProblem(issues: readonly z.core.$ZodIssue[], where: string): SluiceError {
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => dotted([...issue.path, key])) : [],
  );
  if (unknown.length > 0) return unknownKeys(unknown, where);
  const lines = issues.map((issue) => `${dotted(issue.path) || 'the file'}: ${describe(issue)}`);
  const missingUrl = issues.some((issue) => issue.path.join('.') === 'source.url' && issue.code === 'invalid_type');
  const unparsable = issues.some((issue) => issue.message === UNPARSABLE_URL);
  const remedy = unparsable
    ? ENCODE_REMEDY
    : missingUrl
      ? 'Put the URL into sluice.yaml (sluice init writes one), or set SLUICE_SOURCE_URL.'
      : REFERENCE;
  return new SluiceError('config_invalid', `${where}: ${lines.join('; ')}.`, remedy);
}

function unknownKeys(keys: readonly string[], where: string): SluiceError {
  const message = `${where}: unknown ${keys.length === 1 ? 'key' : 'keys'} ${keys.join(', ')}.`;
  const hints = keys.map(hint).filter((text) => text !== undefined);
  return new SluiceError('config_unknown_key', message, [...hints, REFERENCE].join(' '));
}

function hint(key: string): string | undefined {
  const elsewhere = configOptions.find((option) => option.key === key);
  if (elsewhere?.lakeType !== undefined) return `${key} goes with lake.type: ${elsewhere.lakeType}.`;
  const nearest = nearestKey(key);
  return nearest === undefined ? undefined : `Did you mean ${nearest}?`;
}

/**
 * The known key that an unknown one was probably meant to be: the nearest spelling of the whole path, or the same last word elsewhere
 * (`interval` → `batch.interval`). Sections count as keys. Undefined when nothing is near.
 */
export function nearestKey(key: string): string | undefined {
  const known = new Set(configOptions.flatMap((option) => [option.key, option.key.split('.')[0] as string]));
  if (key.startsWith('tables.')) for (const name of TABLE_KEYS) known.add(`tables.${name}`);
  const last = key.split('.').at(-1) as string;
  const ranked = [...known]
    .map((candidate) => ({
      candidate,
      distance: Math.min(distance(key, candidate), distance(last, candidate.split('.').at(-1) as string) + 0.5),
    }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(2, last.length / 3) ? best.candidate : undefined;
}

/** Edits (insert, delete, replace, swap of neighbours) from one word to the other. */
export function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j++) {
      const replace = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      rows[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replace, swap));
    }
  }
  return at(a.length, b.length);
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) return 'is missing';
  if (issue.code === 'invalid_union') return 'expected ducklake or duckdb';
  return issue.message.replace(/^Invalid (input|option): /, '').replace(/\.$/, '');
}

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}
