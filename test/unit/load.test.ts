import { describe, expect, it } from 'vitest';
import { chunksOf, expectedRows, type Leaf, loadsTogether, type OpenLoad, planChunks, sampleChunks } from '../../src/model/load.ts';

const leaf = (relid: string, pages: number, rows = pages * 100): Leaf => ({ relid, filenode: relid, pages, bytes: pages * 8192, rows });

/** Every page of a plan, each once, as relid:page. */
function pagesOf(plan: Parameters<typeof chunksOf>[0]): string[] {
  const pages = chunksOf(plan).flatMap(({ relid, firstPage, pages }) =>
    Array.from({ length: pages }, (_, index) => `${relid}:${firstPage + index}`),
  );
  expect(new Set(pages).size).toBe(pages.length);
  return pages;
}

describe('a sample', () => {
  const plan = planChunks([leaf('a', 100_000), leaf('b', 7), leaf('c', 0)]);

  it.each([1, 5, 33.3])('of %d percent is about so many pages, other ones each time', (percent) => {
    const one = sampleChunks(plan, percent);
    const pages = pagesOf(one);
    expect(pages.length).toBeGreaterThanOrEqual((100_000 * percent) / 100);
    expect(pages.length).toBeLessThanOrEqual((100_000 * percent) / 100 + 1_000 + 7);
    expect(pages.some((page) => page.startsWith('b:'))).toBe(true);
    expect(pagesOf(sampleChunks(plan, percent))).not.toEqual(pages);
    for (const page of pages) expect(Number(page.slice(2))).toBeLessThan(page.startsWith('a') ? 100_000 : 7);
    expect(one.reduce((sum, { rows }) => sum + rows, 0)).toBeCloseTo(pages.length * 100, 3);
  });

  it('of 100 percent is all', () => {
    expect(pagesOf(sampleChunks(plan, 100)).sort()).toEqual(pagesOf(plan).sort());
  });

  it('is no chunk larger than those of the plan', () => {
    const small = planChunks([leaf('a', 1000)], { chunkRows: 200 });
    expect(Math.max(...chunksOf(sampleChunks(small, 50)).map(({ pages }) => pages))).toBe(2);
  });

  it('takes every page as often as any other', () => {
    const taken = new Map<string, number>();
    const few = planChunks([leaf('a', 10)]);
    for (let round = 0; round < 2000; round += 1)
      for (const page of pagesOf(sampleChunks(few, 30))) taken.set(page, (taken.get(page) ?? 0) + 1);
    expect(taken.size).toBe(10);
    for (const times of taken.values()) expect(times / 2000).toBeCloseTo(0.3, 1);
  });
});

describe('the rows that are expected', () => {
  const plan = planChunks([leaf('a', 10, 0), leaf('b', 5, 0)], { chunkRows: 600 });

  it('are those of the statistics before anything is read', () => {
    expect(expectedRows(planChunks([leaf('a', 10), leaf('b', 5)]), new Map())).toBe(1500);
  });

  it('are then as many as the pages so far hold', () => {
    expect(chunksOf(plan)).toHaveLength(8);
    expect(
      expectedRows(
        plan,
        new Map([
          [0, 100],
          [1, 60],
        ]),
      ),
    ).toBe(600);
    expect(expectedRows(plan, new Map(chunksOf(plan).map(({ index }) => [index, 7])))).toBe(56);
  });
});

describe('loads that share their transactions', () => {
  const wanted = (table: number, pages = 1, mode: OpenLoad['mode'] = 'fill') => ({
    load: { id: `${table}`, table: { id: table }, mode, sample: null, done: new Map() } as unknown as OpenLoad,
    plan: planChunks([leaf(`${table}`, pages)]),
  });
  const ids = (loads: readonly { load: OpenLoad }[]) => loads.map(({ load }) => load.table.id);

  it('are first loads of small tables', () => {
    expect(ids(loadsTogether([wanted(1), wanted(2), wanted(3, 100_000), wanted(4, 1, 'compare'), wanted(5)]))).toEqual([1, 2, 5]);
    expect(ids(loadsTogether([wanted(3, 100_000), wanted(1)]))).toEqual([3]);
    expect(loadsTogether([])).toEqual([]);
  });

  it('one a table: the second would find the state of the first already shown', () => {
    expect(ids(loadsTogether([wanted(1), wanted(2), wanted(1)]))).toEqual([1, 2]);
  });
});
