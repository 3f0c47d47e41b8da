/** A DuckDB string literal, for the statements that take no parameters (ATTACH, LOAD, SET). */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A DuckDB identifier, quoted whatever it holds. */
export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
