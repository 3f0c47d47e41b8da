/**
 * What a suite of the benchmark found. Sides take turns in one run, so that what disturbs the machine meets all of them; values at one index, of all sides of a
 * figure, belong to one round.
 */
export interface Section {
  /** What the suite is called on the command line. */
  readonly name: string;
  readonly title: string;
  /** Markdown: what was done, on what data. */
  readonly about: string;
  readonly figures: readonly Figure[];
  readonly charts: readonly Chart[];
  readonly goals: readonly Goal[];
  /** Markdown: what a reader has to know beside the numbers. */
  readonly notes?: readonly string[];
}

/** One quantity on several sides. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** By side: one value a round. */
  readonly sides: Readonly<Record<string, readonly number[]>>;
  /** The side to which the others are shown as ratios, round by round. */
  readonly base?: string;
}

export interface Chart {
  /** Of its file, without extension. */
  readonly name: string;
  readonly title: string;
  readonly kind: 'bar' | 'line';
  readonly x: { readonly label: string; readonly log?: boolean };
  readonly y: { readonly label: string; readonly log?: boolean };
  /** x is a number on lines, a name on bars. */
  readonly series: readonly Series[];
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number | string, number])[];
  /** What was not measured: a reference to compare with. */
  readonly dashed?: boolean;
}

/** What a figure should hold. */
export interface Goal {
  readonly text: string;
  readonly sense: 'at most' | 'at least';
  readonly limit: number;
  readonly unit: string;
  /** One value a round; the median counts. */
  readonly values: readonly number[];
}

/** What `npm run bench` calls by name. */
export type Suite = (scale: Scale) => Promise<Section>;

/** How much is measured: `quick` ends in about two minutes over all suites and shows only that everything runs. */
export type Scale = 'quick' | 'full';
