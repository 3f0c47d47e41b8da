/**
 * The figures to hold, as ratios within one run: `node bench/figures.ts [delivery|growth|asof|stalls|idle|load …]`; `--profile` adds the engine's statements.
 * Prints JSON. Run it on a quiet machine; absolute times say little elsewhere.
 */
import { asof } from './asof.ts';
import { delivery } from './delivery.ts';
import { growth } from './growth.ts';
import { idle } from './idle.ts';
import { load } from './load.ts';
import { stalls } from './stalls.ts';

const FIGURES = { delivery, growth, asof, stalls, idle, load };

const chosen = process.argv.slice(2).filter((one) => !one.startsWith('--'));
for (const [name, measure] of Object.entries(FIGURES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(JSON.stringify({ [name]: await measure() }, null, 2));
}
