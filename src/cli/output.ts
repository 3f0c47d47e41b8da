import { once } from 'node:events';
import { styleText } from 'node:util';
import Table from 'cli-table3';
import type { Fault } from '../model/fault.ts';

type Stream = NodeJS.WriteStream;

/** Write and wait where the reader is slow, so that a large result doesn't pile up in memory. */
export async function writeOut(stream: Stream, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

/** One JSON document. bigint, which JSON lacks, becomes a number where a double holds it, else a string. */
export async function printJson(stream: Stream, data: unknown): Promise<void> {
  await writeOut(stream, `${JSON.stringify(data, jsonValue, 2)}\n`);
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** The error as scripts read it (one line of JSON), or as two lines for people. */
export function renderError(fault: Pick<Fault, 'code' | 'message' | 'remedy'>, json: boolean, stream: Stream): string {
  const { code, message, remedy } = fault;
  if (json) return `${JSON.stringify({ error: { code, message, remedy } })}\n`;
  return `${paint(stream, 'red', 'error:')} ${readable(message)} [${code}]\n${paint(stream, 'dim', 'remedy:')} ${readable(remedy)}\n`;
}

/** As `visible`, but lines stay lines: DuckDB points to the place in a statement. */
function readable(text: string): string {
  return text.split('\n').map(visible).join('\n  ');
}

/** Colour only where the stream is a terminal that has colours and NO_COLOR is not set. */
export function paint(stream: Stream, style: 'red' | 'yellow' | 'green' | 'bold' | 'dim', text: string): string {
  return stream.isTTY === true ? styleText(style, text, { stream }) : text;
}

export interface TableColumn {
  readonly head: string;
  readonly align?: 'left' | 'right';
}

/**
 * Columns under headings, without lines around them. Control characters are shown as escapes: a value can't move the cursor.
 * On a terminal the widest columns are cut (with …) until the row fits; elsewhere nothing is.
 */
export function renderTable(stream: Stream, columns: readonly TableColumn[], rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map((row) => row.map((cell) => visible(cellText(cell))));
  const widths = columns.map(({ head }, index) => cells.reduce((widest, row) => Math.max(widest, row[index]?.length ?? 0), head.length));
  const fitted = stream.isTTY === true ? shrink(widths, stream.columns ?? 80) : widths;
  const [head = '', ...body] = rows.length > MANY ? padded(columns, cells, fitted) : laidOut(columns, cells, fitted);
  return [paint(stream, 'bold', head.trimEnd()), ...body.map((line) => line.trimEnd())].join('\n');
}

function laidOut(columns: readonly TableColumn[], cells: readonly string[][], widths: readonly number[]): string[] {
  const table = new Table({
    head: columns.map(({ head }) => head),
    colWidths: widths.map((width) => width + GAP),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: PLAIN,
    style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [], compact: true },
    truncate: '…',
  });
  table.push(...cells);
  return table.toString().split('\n');
}

/** cli-table3 minds the width of East Asian characters, but its time grows with the square of the rows: 100,000 took minutes. */
const MANY = 500;

function padded(columns: readonly TableColumn[], cells: readonly string[][], widths: readonly number[]): string[] {
  return [columns.map(({ head }) => head), ...cells].map((row) =>
    row
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        const cut = cell.length > width ? `${cell.slice(0, width - 1)}…` : cell;
        return columns[index]?.align === 'right' ? cut.padStart(width) : cut.padEnd(width);
      })
      .join(' '.repeat(GAP)),
  );
}

const GAP = 2;
const SIDES = ['', '-mid', '-left', '-right'] as const;
const PLAIN = Object.fromEntries([
  ...['top', 'bottom'].flatMap((edge) => SIDES.map((side) => [`${edge}${side}`, ''])),
  ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'].map((name) => [name, '']),
]);

function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'object' ? JSON.stringify(cell, jsonValue) : String(cell);
}

/** Newlines, escape sequences and other control characters made visible. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Narrow the widest columns, evenly, until the row fits; none below 8. */
function shrink(widths: readonly number[], available: number): number[] {
  const fitted = [...widths];
  for (let excess = sum(fitted) + GAP * fitted.length - available; excess > 0; excess--) {
    const widest = fitted.indexOf(Math.max(...fitted));
    if ((fitted[widest] ?? 0) <= 8) break;
    fitted[widest] = (fitted[widest] ?? 0) - 1;
  }
  return fitted;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** 12345 → '12,345'. */
export function formatCount(count: number | bigint): string {
  return count.toLocaleString('en-US');
}

/** '1 batch', '2 batches', '1,200 changes'. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Bytes as PostgreSQL's pg_size_pretty writes them: '8192 bytes', '320 kB', '12 MB'. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  while (size >= 10240 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${Math.round(size)} ${units[unit]}`;
}
