import type { LakeColumn } from '../model/table.ts';
import { ident } from './sql.ts';

/** A string, a quoted name, a type behind `::`, or a bare word. */
const TOKEN = /'(?:[^']|'')*'|"((?:[^"]|"")*)"|::\s*[a-z ]+(?:\(\d+\))?|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/g;

const TYPES: Readonly<Record<string, string>> = {
  'character varying': 'VARCHAR',
  character: 'VARCHAR',
  bpchar: 'VARCHAR',
  name: 'VARCHAR',
  citext: 'VARCHAR',
  'timestamp without time zone': 'TIMESTAMP',
  'timestamp with time zone': 'TIMESTAMPTZ',
};

/**
 * A partition's condition as PostgreSQL prints it (pg_get_partition_constraintdef), for DuckDB: columns under their names in the lake, always
 * quoted (`at` is a word of DuckDB's), and some types by another name. What DuckDB does not understand even so it refuses: ask it first.
 */
export function boundCondition(bound: string, columns: readonly LakeColumn[]): string {
  return bound.replace(TOKEN, (token: string, quoted: string | undefined) => {
    if (token.startsWith("'")) return token;
    if (token.startsWith('::')) {
      const type = token
        .slice(2)
        .replace(/\(\d+\)$/, '')
        .trim();
      return `::${TYPES[type] ?? type}`;
    }
    const name = quoted === undefined ? token : quoted.replaceAll('""', '"');
    const column = columns.find(({ source }) => source === name);
    return column === undefined ? token : ident(column.name);
  });
}
