import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { renderConfigFile } from '../../src/cli/init-file.ts';
import { createLogger } from '../../src/cli/logger.ts';
import { formatBytes, plural, printJson, renderError, renderTable } from '../../src/cli/output.ts';
import { selectTables } from '../../src/cli/tables.ts';
import { compilePatterns, configOptions } from '../../src/config/index.ts';
import { withOptionsTable } from '../../src/config/reference.ts';
import type { SourceTable } from '../../src/source/index.ts';

/** A stream that remembers; `columns` makes it a terminal. */
function stream(columns?: number): NodeJS.WriteStream & { text(): string } {
  const chunks: string[] = [];
  const through = new PassThrough();
  through.on('data', (chunk) => chunks.push(String(chunk)));
  const terminal = columns === undefined ? {} : { isTTY: true, columns, hasColors: () => false, getColorDepth: () => 1 };
  return Object.assign(through, terminal, { text: () => chunks.join('') }) as unknown as NodeJS.WriteStream & { text(): string };
}

function table(name: string, more: Partial<SourceTable> = {}): SourceTable {
  return { schema: 'public', name, rows: 1234, bytes: 8192, partitioned: false, key: ['id'], tracked: false, refusal: null, ...more };
}

describe('tables for people', () => {
  const columns = [{ head: 'name' }, { head: 'n', align: 'right' as const }];

  it('are columns under headings, without lines', () => {
    expect(
      renderTable(stream(), columns, [
        ['a', 1],
        ['bcd', 1000],
      ]),
    ).toBe('name     n\na        1\nbcd   1000');
  });

  it('show what is no text', () => {
    expect(renderTable(stream(), columns, [[null, { a: [1] }]]).split('\n')[1]).toBe('      {"a":[1]}');
  });

  it('let no value move the cursor', () => {
    expect(renderTable(stream(), columns, [['a\n\u001b[2J\u009b', 1]])).toContain('a\\n\\x1b[2J\\x9b');
  });

  it('are cut to the terminal, and only there', () => {
    const wide = [['x'.repeat(100), 1]];
    const cut = renderTable(stream(40), columns, wide);
    expect(cut).toContain('…');
    expect(Math.max(...cut.split('\n').map((line) => line.length))).toBeLessThanOrEqual(40);
    expect(renderTable(stream(), columns, wide)).toContain('x'.repeat(100));
  });
});

describe('small forms', () => {
  it('counts and sizes', () => {
    expect([plural(1, 'batch', 'batches'), plural(1200, 'change')]).toEqual(['1 batch', '1,200 changes']);
    expect([0, 8192, 327_680, 12_582_912].map(formatBytes)).toEqual(['0 bytes', '8192 bytes', '320 kB', '12 MB']);
  });

  it('JSON keeps integers exact', async () => {
    const out = stream();
    await printJson(out, { small: 5n, large: 2n ** 60n });
    expect(JSON.parse(out.text())).toEqual({ small: 5, large: '1152921504606846976' });
  });

  it('errors are two lines, or one of JSON', () => {
    const fault = { code: 'c', message: 'what', remedy: 'do' };
    expect(renderError(fault, false, stream())).toBe('error: what [c]\nremedy: do\n');
    expect(renderError(fault, true, stream())).toBe('{"error":{"code":"c","message":"what","remedy":"do"}}\n');
  });
});

describe('the log', () => {
  it('shows neither passwords nor what drivers hang on errors', () => {
    const out = stream();
    const log = createLogger({ level: 'info' }, { stderr: out });
    const error = Object.assign(new Error('duplicate key: (id)=(secret)'), {
      code: '23505',
      detail: 'secret',
      query: 'secret',
      parameters: ['secret'],
    });
    log.error({ err: error, url: 'secret', lake: { catalog: 'secret' } }, 'failed');
    const line = JSON.parse(out.text());
    expect(line).toMatchObject({
      level: 'error',
      msg: 'failed',
      url: '***',
      lake: { catalog: '***' },
      err: { message: expect.stringContaining('23505') },
    });
    expect(out.text()).not.toContain('secret');
  });

  it('is JSON off a terminal and for people on one, unless told otherwise', () => {
    const [plain, terminal, forced] = [stream(), stream(80), stream(80)];
    createLogger({ level: 'info' }, { stderr: plain }).info('hello');
    createLogger({ level: 'info' }, { stderr: terminal }).info('hello');
    createLogger({ level: 'info', format: 'json' }, { stderr: forced }).info('hello');
    expect(plain.text()).toMatch(/^\{.*"msg":"hello"\}\n$/);
    expect(terminal.text()).toMatch(/INFO.*hello/);
    expect(forced.text()).toMatch(/^\{/);
  });
});

describe('the file that init writes', () => {
  const tables = [
    table('orders'),
    table('log', { key: null }),
    table('bad', { refusal: 'has inheritance children' }),
    table('we"ird.\n- x', { schema: 'od.d', key: ['a', 'b'] }),
  ];
  const text = renderConfigFile({ url: 'postgres://h/d', tables });

  it('takes the tables that can be tracked', () => {
    const matches = compilePatterns(parse(text).tables);
    expect(tables.filter((one) => matches(one)).map(({ name }) => name)).toEqual(['orders', 'log', 'we"ird.\n- x']);
    expect(matches({ schema: 'other', name: 'orders' })).toBe(false);
  });

  it('holds the defaults, spelled as the schema spells them', () => {
    const preset = (key: string) => configOptions.find((option) => option.key === key)?.preset;
    expect(parse(text)).toMatchObject({
      source: { url: 'postgres://h/d' },
      lake: { type: 'ducklake', catalog: preset('lake.catalog'), data: preset('lake.data') },
      batch: { interval: preset('batch.interval') },
    });
  });

  it('says what was found', () => {
    expect(text).toMatch(/# {3}public\.orders +about 1,234 rows, 8192 bytes, key id\n/);
    expect(text).toContain('no key: changes are logged');
    expect(text).toContain('left out: has inheritance children');
  });

  it('is short for a database of a thousand tables, and whole for an empty one', () => {
    const many = Array.from({ length: 1000 }, (_, index) => table(`t${index}`));
    expect(renderConfigFile({ url: 'u', tables: many }).split('\n').length).toBeLessThan(80);
    expect(parse(renderConfigFile({ url: 'u', tables: [] })).tables).toEqual(['public.*']);
  });
});

describe('choosing what to track', () => {
  const tables = [table('fresh'), table('old', { tracked: true }), table('bent', { tracked: true }), table('bad', { refusal: 'why' })];
  const names = (list: readonly SourceTable[]) => list.map(({ name }) => name);

  it('sorts out new, old, to be mended and refused', () => {
    const selection = selectTables(tables, ['public.*'], [{ schema: 'public', name: 'bent' }]);
    expect([names(selection.fresh), names(selection.already), names(selection.refused)]).toEqual([['fresh', 'bent'], ['old'], ['bad']]);
  });

  it('fails where nothing matches, or all that does is refused', () => {
    expect(() => selectTables(tables, ['public.none'], [])).toThrow(expect.objectContaining({ code: 'no_tables' }));
    expect(() => selectTables(tables, ['public.bad'], [])).toThrow(expect.objectContaining({ code: 'table_refused' }));
  });
});

describe('documents', () => {
  const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

  it('docs/configuration.md has the table of the schema (node src/config/reference.ts writes it)', () => {
    const text = read('configuration.md');
    expect(text).toBe(withOptionsTable(text));
    for (const { key, description } of configOptions) expect(description, key).not.toBe('');
  });
});
