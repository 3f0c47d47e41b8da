import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePatterns, formatDuration, parseDuration, patternFor, redactUrl } from '../../src/config/index.ts';

describe('durations', () => {
  it.each([
    ['50ms', 50],
    ['1s', 1000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['90d', 7_776_000_000],
    [' 1s ', 1000],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', '5', '5 s', '-1s', 's', '1w', '1e3s', '99999999999999999999h', '1s2'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('are read as they are written', () => {
    fc.assert(fc.property(fc.nat({ max: 10 ** 12 }), (ms) => parseDuration(formatDuration(ms)) === ms));
  });
});

describe('table patterns', () => {
  const matches = (patterns: string[], schema: string, name: string) => compilePatterns(patterns)({ schema, name });

  it('match nothing when there are none', () => expect(matches([], 'public', 'orders')).toBe(false));

  it('the last match wins', () => {
    const patterns = ['public.*', '!public.tmp_*', 'public.tmp_orders'];
    expect(['orders', 'tmp_x', 'tmp_orders'].map((name) => matches(patterns, 'public', name))).toEqual([true, false, true]);
  });

  it('know wildcards and case, and stop at the dot', () => {
    expect(matches(['public.order?'], 'public', 'orders')).toBe(true);
    expect(matches(['public.Orders'], 'public', 'orders')).toBe(false);
    expect(matches(['*.orders'], 'shop', 'orders')).toBe(true);
    expect(matches(['public.a'], 'public', 'ab')).toBe(false);
    expect(matches(['public.a+'], 'public', 'aa')).toBe(false);
  });

  it('take quoted names literally', () => {
    expect(matches(['"a.b"."*"'], 'a.b', '*')).toBe(true);
    expect(matches(['"a.b"."*"'], 'a.b', 'x')).toBe(false);
  });

  it.each(['orders', 'a.b.c', '', '!', '.', 'a.', '.b', '"a".b"', '"".b'])('refuse %j', (pattern) => {
    expect(() => compilePatterns([pattern])).toThrow(/is not a table pattern/);
  });

  it('made for a table match that table and no other', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'B', '.', '"', '*', '?', '!', ' ', '\n', '\\', '$', 'ü'), minLength: 1 });
    fc.assert(
      fc.property(name, name, name, name, (schema, table, otherSchema, otherTable) => {
        const match = compilePatterns([patternFor(schema, table)]);
        const same = schema === otherSchema && table === otherTable;
        return match({ schema, name: table }) && match({ schema: otherSchema, name: otherTable }) === same;
      }),
    );
  });
});

describe('redactUrl', () => {
  it.each([
    ['postgres://me:hunter2@h:5432/d', 'postgres://me:***@h:5432/d'],
    ['postgres://me@h/d?sslmode=require&sslpassword=hunter2', 'postgres://me@h/d?sslmode=require&sslpassword=***'],
    ['postgres://me:p@ss:w#rd@h/d', 'postgres://me:***@h/d'],
    ['postgres://me:1/hunter2@h/d', 'postgres://me:***@h/d'],
    ['postgres://me:hunter2@h1:1,h2:2/d', 'postgres://me:***@h1:1,h2:2/d'],
    ['postgres://h:5432/d?password=hun@ter2', 'postgres://***'],
    ['postgres://h/d?sslmode=require&password=hunter2', 'postgres://h/d?sslmode=require&password=***'],
    ['host=h password=hunter2', '***'],
    ['sqlite:/srv/lake.sqlite', 'sqlite:/srv/lake.sqlite'],
    ['postgres://h/d', 'postgres://h/d'],
  ])('%s', (url, shown) => expect(redactUrl(url)).toBe(shown));

  it('never shows a password, whatever it holds', () => {
    const password = fc.string({ minLength: 4, unit: fc.constantFrom('Q', '@', '/', '#', '?', ':', '&', '=', '%', ' ', '1') });
    fc.assert(fc.property(password, (secret) => !redactUrl(`postgres://me:${secret}QQ@host/d`).includes('QQ')));
  });
});
