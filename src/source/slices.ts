import type { Sql } from './connect.ts';
import { statement } from './sql.ts';

/**
 * The values of a slice of a wide batch, as text. An engine carries a slice, or 2,048 rows, at once through every step of a statement, in several
 * copies: at 16 MB of rows of 20 kB a daemon takes 417 MB.
 */
const SLICE_BYTES = 8_000_000;

/** The query for the changes of the open batch as several, which together bring each change once; see sql/source/slices.sql. */
export async function sliced(sql: Sql, query: string): Promise<string[]> {
  const [row] = await sql.unsafe<{ firsts: string }[]>(statement('slices'), [SLICE_BYTES]);
  // The pool knows no arrays; a ctid is two numbers: nothing to quote. The first and the last slice are open: all rows are in one.
  const inner = [...(row?.firsts ?? '').matchAll(/\(\d+,\d+\)/g)].slice(1).map(([ctid]) => `'${ctid}'`);
  const bounds = [undefined, ...inner, undefined];
  return bounds.slice(1).map((below, at) => {
    const from = bounds[at];
    return query + (from === undefined ? '' : `\n  AND ctid >= ${from}`) + (below === undefined ? '' : `\n  AND ctid < ${below}`);
  });
}
