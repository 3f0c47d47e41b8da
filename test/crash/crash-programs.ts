import fc from 'fast-check';
import type { LoadMode } from '../../src/model/load.ts';
import { CRASH_POINTS } from '../../src/pipeline/index.ts';
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
  | { readonly do: 'let go'; readonly end: 'commit' | 'rollback' }
  /** Somebody asks for a load of the program's table of this number. */
  | { readonly do: 'load'; readonly table: number; readonly mode: Exclude<LoadMode, 'fill'> };

/** A random program with random actions: each before a transaction, or inside one, after one of its steps. */
export interface CrashProgram {
  readonly program: Program;
  /** By slot: a running number of the places where an action can be, see `slots`. */
  readonly actions: readonly { readonly slot: number; readonly action: Action }[];
}

/** Where actions can be: before each transaction and after each of its steps. */
export const slots = ({ transactions }: Program): number => transactions.reduce((count, { steps }) => count + 1 + steps.length, 0);

/** Points that a drain meets; the others only after a crash of the source. */
const POINTS = CRASH_POINTS.filter((point) => !/-(?:gap|epoch|pause|resume|retain)$/.test(point));
const LOAD_POINTS = CRASH_POINTS.filter((point) => /-(?:load|chunk|complete)$/.test(point));

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

const load: fc.Arbitrary<Action> = fc.record({
  do: fc.constant('load' as const),
  table: fc.nat(2),
  mode: fc.constantFrom('compare', 'full', 'reset', 'verify', 'repair'),
});

/** An action, and how many slots after the one before it. */
interface Timed {
  readonly after: number;
  readonly action: Action;
}

const one = (action: fc.Arbitrary<Action>): fc.Arbitrary<Timed[]> => action.map((drawn) => [{ after: 0, action: drawn }]);

/**
 * A daemon stalls and loses its leadership; the other one takes its batch over and then has one of its own open when the first wakes up.
 * Single actions come to this once in a thousand programs.
 */
const overtaken: fc.Arbitrary<Timed[]> = fc
  .tuple(
    daemon,
    fc.oneof(
      fc.constantFrom<Place>('before-settle', 'before-stage', 'after-stage', 'before-apply', 'before-finish', 'before-finish'),
      point,
    ),
    fc.constantFrom<Place>('after-swap', 'after-move', 'after-settle', 'after-stage', 'after-apply'),
    fc.constantFrom('dies' as const, 'stalls' as const),
    fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 12 }), fc.nat(2)),
  )
  .map(([first, sleeps, stops, how, [untilCut, untilNext, untilWake]]) => {
    const second = first === 0 ? 1 : 0;
    return [
      { after: 0, action: { do: 'drain', daemon: first, fate: { is: 'stalls', at: sleeps, hit: 1 } } },
      { after: untilCut, action: { do: 'cut' } },
      { after: 0, action: { do: 'drain', daemon: second } },
      { after: untilNext, action: { do: 'drain', daemon: second, fate: { is: how, at: stops, hit: 1 } } },
      { after: untilWake, action: { do: 'wake', daemon: first } },
    ];
  });

/** A load that dies, stalls or is overtaken at each of its steps. */
const loaded: fc.Arbitrary<Timed[]> = fc
  .tuple(
    load,
    fc.array(
      fc.record({
        after: fc.nat(2),
        daemon,
        is: fc.constantFrom('dies' as const, 'stalls' as const),
        at: fc.constantFrom<Place>(...LOAD_POINTS, 'in-lake'),
        hit: fc.integer({ min: 1, max: 4 }),
        cut: fc.boolean(),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map(([action, deaths]) => [
    { after: 0, action },
    ...deaths.flatMap(({ after, daemon: seat, is, at, hit: times, cut }): Timed[] => [
      { after, action: { do: 'drain', daemon: seat, fate: { is, at, hit: times } } },
      ...(cut ? [{ after: 0, action: { do: 'cut' } as const }] : []),
    ]),
  ]);

/** For daemons that live in this process. */
const anything = fc.oneof(
  { weight: 4, arbitrary: one(drain(fc.constant(undefined))) },
  { weight: 6, arbitrary: one(drain(dies)) },
  { weight: 3, arbitrary: one(drain(stalls)) },
  { weight: 2, arbitrary: one(drain(loses)) },
  { weight: 1, arbitrary: one(daemon.map((seat) => ({ do: 'kill', daemon: seat }))) },
  { weight: 2, arbitrary: one(daemon.map((seat) => ({ do: 'wake', daemon: seat }))) },
  { weight: 2, arbitrary: one(fc.constant({ do: 'cut' })) },
  { weight: 1, arbitrary: one(hold) },
  { weight: 1, arbitrary: one(letGo) },
  { weight: 6, arbitrary: overtaken },
  { weight: 8, arbitrary: loaded },
);

/** For daemons that are processes, where each action takes a second. */
const kills = fc.oneof(
  { weight: 1, arbitrary: one(drain(fc.constant(undefined))) },
  { weight: 5, arbitrary: one(drain(fc.record({ is: fc.constant('dies' as const), at: point, hit }))) },
  { weight: 1, arbitrary: one(hold) },
  { weight: 1, arbitrary: one(letGo) },
  { weight: 2, arbitrary: one(load) },
);

const crashProgram = (actions: fc.Arbitrary<Timed[]>, length: { minLength: number; maxLength: number }): fc.Arbitrary<CrashProgram> =>
  fc.record({ program, plots: fc.array(fc.record({ begin: fc.nat(99), plot: actions }), length) }).map(({ program: drawn, plots }) => ({
    program: drawn,
    actions: plots.flatMap(({ begin, plot }) => {
      let slot = begin;
      return plot.map(({ after, action }) => {
        slot += after;
        return { slot, action };
      });
    }),
  }));

export const withDaemonsInProcess = crashProgram(anything, { minLength: 2, maxLength: 8 });
export const withProcesses = crashProgram(kills, { minLength: 1, maxLength: 4 });
