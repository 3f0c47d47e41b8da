/** The advisory lock of the leading daemon. Any fixed number: advisory locks are per database, and one daemon leads per database. */
export const LEADERSHIP = 7_305_811_294_401_883_000n;
