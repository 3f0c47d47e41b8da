import { readFileSync } from 'node:fs';

const cache = new Map<string, string>();

/** The text of sql/lake/<name>.sql. The folder lies two levels up from this file, in the sources and in dist alike. */
export function statement(name: string): string {
  let text = cache.get(name);
  if (text === undefined) {
    text = readFileSync(new URL(`../../sql/lake/${name}.sql`, import.meta.url), 'utf8');
    cache.set(name, text);
  }
  return text;
}
