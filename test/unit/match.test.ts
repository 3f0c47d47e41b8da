import { describe, expect, test } from 'vitest';
import { findGap } from '../../src/pipeline/index.ts';

const identity = { systemIdentifier: '1', timeline: 1, database: 'd', epoch: 'e' };
const known = { ...identity, lastOrdinal: 5, lastCut: '2026-01-05T00:00:00Z' };
const source = {
  missed: 0,
  lastMissedCut: null,
  epochStart: '2026-01-01T00:00:00Z',
  lastCut: '2026-01-05T00:00:00Z',
  lastOrdinal: 5,
  now: '2026-01-09T00:00:00Z',
};

describe('what a lake lacks of its source', () => {
  test('nothing, while the lake holds the last batch, and before there is any', () => {
    expect(findGap(known, identity, source)).toBeUndefined();
    expect(findGap(undefined, identity, { ...source, lastCut: null, lastOrdinal: 0 })).toBeUndefined();
  });

  test('batches that were finished for another lake, or before this one was made', () => {
    const missed = { ...source, missed: 2, lastMissedCut: '2026-01-07T00:00:00Z', lastOrdinal: 7 };
    expect(findGap(known, identity, missed)).toEqual({ epoch: 'e', from: known.lastCut, to: missed.lastMissedCut, cause: 'other_lake' });
    expect(findGap(undefined, identity, missed)).toMatchObject({ from: source.epochStart, cause: 'other_lake' });
  });

  test('a source that was set back, and one whose schema audit was made anew', () => {
    const back = { ...source, lastOrdinal: 3, lastCut: '2026-01-03T00:00:00Z' };
    expect(findGap(known, identity, back)).toEqual({ epoch: 'e', from: back.lastCut, to: back.now, cause: 'source_restored' });
    expect(findGap({ ...known, epoch: 'old' }, identity, source)).toEqual({
      epoch: 'old',
      from: known.lastCut,
      to: source.epochStart,
      cause: 'new_epoch',
    });
  });
});
