import { readFileSync } from 'node:fs';

const cache = new Map<string, string>();

/**
 * The text of sql/lake/<name>.sql. The folder lies two levels up from this file, in the sources and in dist alike.
 * @param parts what stands for each `{part}` in it: SQL that is quoted already
 */
export function statement(name: string, parts: Readonly<Record<string, string>> = {}): string {
  let text = cache.get(name);
  if (text === undefined) {
    // Comments name the parts, and must not be filled: a table's name may hold a line break.
    text = readFileSync(new URL(`../../sql/lake/${name}.sql`, import.meta.url), 'utf8').replace(/^--.*\n/gm, '');
    cache.set(name, text);
  }
  return text.replace(/\{(\w+)\}/g, (_, part: string) => {
    const sql = parts[part];
    if (sql === undefined) throw new Error(`sql/lake/${name}.sql needs {${part}}`);
    return sql;
  });
}
