import fc from 'fast-check';
import { type Program, program } from '../pg/programs.ts';
import type { Answer, Fate, Place } from './mortal-daemon.ts';

/** What befalls the two daemons, or the application beside the program. */
export type Action =
  /** Let a daemon drain until nothing waits; it is started if it does not run, and left alone while it is asleep. */
  | { readonly do: 'drain'; readonly daemon: 0 | 1; readonly fate?: Fate }
  /** kill -9 of a daemon that is idle or asleep. */
  | { readonly do: 'kill'; readonly daemon: 0 | 1 }
  | { readonly do: 'wake'; readonly daemon: 0 | 1 }
  /** The session that holds the leadership is lost, as by a broken network: the other daemon may lead. */
  | { readonly do: 'cut' }
  /** Begin a long transaction, or write once more in it: it holds the buffer, so batches are moved. */
  | { readonly do: 'hold' }
  | { readonly do: 'let go'; readonly end: 'commit' | 'rollback' };

/** A random program with random actions: each before a transaction, or inside one, after one of its steps. */
export interface CrashProgram {
  readonly program: Program;
  /** By slot: a running number of the places where an action can be, see `slots`. */
  readonly actions: readonly { readonly slot: number; readonly action: Action }[];
}

/** Where actions can be: before each transaction and after each of its steps. */
export const slots = ({ transactions }: Program): number => transactions.reduce((count, { steps }) => count + 1 + steps.length, 0);

/** Points that a drain meets; the others only after a crash of the source. */
const POINTS = [
  'before-swap',
  'after-swap',
  'before-move',
  'after-move',
  'before-settle',
  'after-settle',
  'before-stage',
  'after-stage',
  'before-apply',
  'after-apply',
  'before-finish',
  'after-finish',
] as const satisfies readonly Place[];

const daemon = fc.constantFrom<0 | 1>(0, 1);
const hit = fc.constantFrom(1, 1, 1, 2);
const point = fc.constantFrom<Place>(...POINTS);
/** The middle of a lake transaction has some ten statements. */
const inLake = fc.record({ at: fc.constant<Place>('in-lake'), hit: fc.integer({ min: 1, max: 10 }) });
const place = fc.oneof({ weight: 3, arbitrary: fc.record({ at: point, hit }) }, { weight: 1, arbitrary: inLake });

const dies: fc.Arbitrary<Fate> = place.map((where) => ({ is: 'dies', ...where }));
const stalls: fc.Arbitrary<Fate> = place.map((where) => ({ is: 'stalls', ...where }));
const loses: fc.Arbitrary<Fate> = fc
  .constantFrom<Answer>('swap', 'move', 'settle', 'lake commit', 'finish')
  .map((answer) => ({ is: 'loses', answer }));

const drain = (fate: fc.Arbitrary<Fate | undefined>): fc.Arbitrary<Action> =>
  fc.record({ daemon, fate }).map(({ fate: drawn, ...rest }) => ({ do: 'drain', ...rest, ...(drawn ? { fate: drawn } : {}) }));
const hold: fc.Arbitrary<Action> = fc.constant({ do: 'hold' });
const letGo: fc.Arbitrary<Action> = fc.constantFrom('commit', 'commit', 'rollback').map((end) => ({ do: 'let go', end }));

/** For daemons that live in this process. */
export const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: drain(fc.constant(undefined)) },
  { weight: 5, arbitrary: drain(dies) },
  { weight: 3, arbitrary: drain(stalls) },
  { weight: 2, arbitrary: drain(loses) },
  { weight: 1, arbitrary: daemon.map((one): Action => ({ do: 'kill', daemon: one })) },
  { weight: 3, arbitrary: daemon.map((one): Action => ({ do: 'wake', daemon: one })) },
  { weight: 3, arbitrary: fc.constant<Action>({ do: 'cut' }) },
  { weight: 1, arbitrary: hold },
  { weight: 1, arbitrary: letGo },
);

/** For daemons that are processes, where each action takes a second: drains that are killed, at a point or at any moment. */
export const killAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 1, arbitrary: drain(fc.constant(undefined)) },
  { weight: 5, arbitrary: drain(fc.record({ is: fc.constant('dies' as const), at: point, hit })) },
  { weight: 1, arbitrary: hold },
  { weight: 1, arbitrary: letGo },
);

export const crashProgram = (action: fc.Arbitrary<Action>, length: { minLength: number; maxLength: number }): fc.Arbitrary<CrashProgram> =>
  fc.record({ program, actions: fc.array(fc.record({ slot: fc.nat(199), action }), length) });
