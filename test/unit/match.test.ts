import { describe, expect, test } from 'vitest';
import { type Compared, findGap } from '../../src/pipeline/index.ts';

const identity = { systemIdentifier: '1', timeline: 1, database: 'd', epoch: 'e' };
const known = { ...identity, batch: 'b5', lastCut: '2026-01-05T00:00:00Z', lastSeq: '9' };
const batch = (ordinal: number, id = `b${ordinal}`) => ({ id, ordinal, cut: `2026-01-0${ordinal}T00:00:00Z` });
const compared: Compared = {
  knows: true,
  newest: batch(5),
  shared: batch(5),
  epochStart: '2026-01-01T00:00:00Z',
  sentinel: true,
  now: '2026-01-09T00:00:00Z',
};

describe('what a lake lacks of its source', () => {
  test('nothing, while the lake holds the last batch, and before there is any', () => {
    expect(findGap(known, identity, compared)).toBeUndefined();
    expect(findGap(undefined, identity, { ...compared, newest: null, shared: undefined })).toBeUndefined();
    // It was promoted, but has what the lake has.
    expect(findGap(known, { ...identity, timeline: 2 }, compared)).toBeUndefined();
  });

  test('batches that were finished for another lake, or before this one was made', () => {
    const missed = { ...compared, newest: batch(7) };
    expect(findGap(known, identity, missed)).toEqual({ epoch: 'e', from: known.lastCut, to: batch(7).cut, cause: 'other_lake' });
    expect(findGap(undefined, identity, { ...missed, shared: undefined })).toMatchObject({
      from: compared.epochStart,
      cause: 'other_lake',
    });
  });

  test('a source that was set back, whether or not it has counted up to the lake again', () => {
    const back = { ...compared, knows: false, newest: batch(3), shared: batch(3) };
    expect(findGap(known, identity, back)).toEqual({ epoch: 'e', from: batch(3).cut, to: back.now, cause: 'source_restored' });
    expect(findGap(known, identity, { ...back, newest: batch(5, 'other') })).toMatchObject({
      from: batch(3).cut,
      cause: 'source_restored',
    });
    expect(findGap(known, identity, { ...back, newest: null, shared: undefined })).toMatchObject({ from: back.epochStart });
    // To before the crash that the lake has heard of.
    expect(findGap({ ...known, epoch: 'later' }, identity, back)).toMatchObject({ epoch: 'e', cause: 'source_restored' });
  });

  test('a standby that was promoted while behind', () => {
    const behind = { ...compared, knows: false, newest: batch(3), shared: batch(3) };
    expect(findGap(known, { ...identity, timeline: 2 }, behind)).toEqual({
      epoch: 'e',
      from: batch(3).cut,
      to: behind.now,
      cause: 'failover',
    });
  });

  test('a source whose schema audit was made anew', () => {
    const anew = { ...compared, knows: false, newest: null, shared: undefined, epochStart: '2026-01-06T00:00:00Z' };
    const gap = { epoch: 'old', from: known.lastCut, to: anew.epochStart, cause: 'new_epoch' };
    expect(findGap({ ...known, epoch: 'old' }, identity, anew)).toEqual(gap);
    expect(findGap({ ...known, epoch: 'old' }, identity, { ...anew, newest: batch(7) })).toEqual({ ...gap, to: batch(7).cut });
  });
});
