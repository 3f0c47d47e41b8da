import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../src/model/error.ts';
import { classify, faultRules } from '../../src/model/fault.ts';

function coded(code: string, message = 'some words in some language'): Error {
  return Object.assign(new Error(message), { code });
}

/** Written out once more, by hand: a row that changes or goes must be missed here. */
const EXPECTED: readonly (readonly [code: string, retry: boolean, fault: string])[] = [
  ['ECONNREFUSED', true, 'source_unreachable'],
  ['EHOSTUNREACH', true, 'source_unreachable'],
  ['ENETUNREACH', true, 'source_unreachable'],
  ['EHOSTDOWN', true, 'source_unreachable'],
  ['ETIMEDOUT', true, 'source_unreachable'],
  ['CONNECT_TIMEOUT', true, 'source_unreachable'],
  ['ENOTFOUND', true, 'source_unreachable'],
  ['EAI_AGAIN', true, 'source_unreachable'],
  ['ECONNRESET', true, 'source_unreachable'],
  ['EPIPE', true, 'source_unreachable'],
  ['CONNECTION_CLOSED', true, 'source_unreachable'],
  ['CONNECTION_ENDED', true, 'source_unreachable'],
  ['CONNECTION_DESTROYED', true, 'source_unreachable'],
  ['AUTH_TYPE_NOT_IMPLEMENTED', false, 'source_auth'],
  ['SASL_SIGNATURE_MISMATCH', false, 'source_auth'],
  ['ENOSPC', true, 'disk_full'],
  ['EDQUOT', true, 'disk_full'],
  ['EMFILE', true, 'too_many_files'],
  ['ENFILE', true, 'too_many_files'],
  ['EIO', true, 'disk_failed'],
  ['EACCES', false, 'file_permission'],
  ['EPERM', false, 'file_permission'],
  ['EROFS', false, 'file_permission'],
  ['ENOENT', false, 'file_missing'],
  ['08006', true, 'source_unreachable'],
  ['08P01', false, 'source_protocol'],
  ['22P02', false, 'source_data'],
  ['25006', true, 'source_read_only'],
  ['28P01', false, 'source_auth'],
  ['28000', false, 'source_auth'],
  ['3D000', false, 'source_no_database'],
  ['3F000', false, 'not_installed'],
  ['40001', true, 'source_conflict'],
  ['40P01', true, 'source_conflict'],
  ['42501', false, 'source_privilege'],
  ['42703', false, 'source_mismatch'],
  ['42883', false, 'not_installed'],
  ['42P01', false, 'not_installed'],
  ['53100', true, 'source_disk_full'],
  ['53200', true, 'source_overloaded'],
  ['53300', true, 'source_overloaded'],
  ['55000', true, 'source_batch'],
  ['55006', true, 'source_batch'],
  ['55P03', true, 'source_busy'],
  ['57014', true, 'source_cancelled'],
  ['57P01', true, 'source_unreachable'],
  ['57P03', true, 'source_unreachable'],
  ['57P04', false, 'source_no_database'],
  ['58030', true, 'source_system'],
  ['P0002', true, 'source_batch'],
  ['XX001', false, 'source_internal'],
];

describe('classification', () => {
  it.each(EXPECTED)('%s', (code, retry, fault) => {
    const found = classify(coded(code));
    expect(found).toMatchObject({ retry, code: fault });
    expect(found.message).toContain(code);
    expect(found.remedy).not.toBe('');
  });

  it('says who may do what the role may not', () => {
    expect(classify(coded('42501')).remedy).toMatch(/owner of schema audit.*audit\.grant_daemon\('role'\)/);
  });

  it('has no row that is not expected above', () => {
    const own = ['lake_unreachable', 'lake_engine_broken', 'lake_locked', 'lake_full', 'lake_conflict', 'lake_already_holds'];
    const rest = ['stage_failed', 'stage_other_batch', 'stage_incomplete', 'leadership_lost', 'source_read_only'];
    const covered = faultRules.filter(({ match }) =>
      EXPECTED.some(([code]) => code === match || code.startsWith(match.replace(/\*$/, ''))),
    );
    expect(
      faultRules
        .filter((one) => !covered.includes(one))
        .map(({ match }) => match)
        .sort(),
    ).toEqual([...own, ...rest].sort());
    expect(new Set(faultRules.map(({ match }) => match)).size).toBe(faultRules.length);
  });

  it.each([
    'lake_unreachable',
    'lake_engine_broken',
    'lake_locked',
    'lake_full',
    'lake_conflict',
    'lake_already_holds',
    'stage_failed',
    'stage_other_batch',
    'stage_incomplete',
    'leadership_lost',
    'source_read_only',
  ])('%s of ours is tried again', (code) =>
    expect(classify(new SluiceError(code, 'what', 'do'))).toEqual({ retry: true, code, message: 'what', remedy: 'do' }),
  );

  it.each(['lake_failed', 'lake_denied', 'lake_damaged', 'extension_missing', 'not_installed', 'no_such_code', '40001'])(
    '%s of ours is not',
    (code) => {
      expect(classify(new SluiceError(code, 'what', 'do'))).toEqual({ retry: false, code, message: 'what', remedy: 'do' });
    },
  );

  it('never looks at the message', () => {
    expect(classify(new Error('connection refused (ECONNREFUSED)')).retry).toBe(false);
    expect(classify(coded('28P01', 'connection refused, try again')).retry).toBe(false);
  });

  it('keeps values of rows out of the message', () => {
    expect(classify(coded('22P02', 'invalid input syntax for type integer: "secret"')).message).not.toContain('secret');
    expect(classify(coded('23505', 'Key (id)=(secret)')).message).not.toContain('secret');
  });

  it('takes EPIPE and EPERM for errno, not for SQLSTATEs', () => {
    expect(classify(coded('EBUSY')).code).toBe('unexpected');
  });

  it('sees through wrappers', () => {
    expect(classify(new Error('outer', { cause: coded('ECONNRESET') })).retry).toBe(true);
    const both = new AggregateError([coded('ECONNREFUSED', 'connect ::1'), coded('ECONNREFUSED', 'connect 127.0.0.1')]);
    expect(classify(both).retry).toBe(true);
    expect(classify(Object.assign(both, { code: 'ECONNREFUSED' })).message).toContain('connect 127.0.0.1');
  });

  it.each([undefined, null, 'text', 5, {}, new Error('plain')])('copes with %j', (error) => {
    expect(classify(error)).toMatchObject({ retry: false, code: 'unexpected' });
  });

  it('ends on a cause that is its own cause', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(classify(error).code).toBe('unexpected');
  });
});
