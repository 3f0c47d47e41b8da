/**
 * The figures that the log's delivery has to hold, as ratios within one run: `node bench/figures.ts [delivery|stalls|idle …]`.
 * Prints JSON. Run it on a quiet machine; absolute times say little elsewhere.
 */
import { delivery } from './delivery.ts';
import { idle } from './idle.ts';
import { stalls } from './stalls.ts';

const FIGURES = { delivery, stalls, idle };

const chosen = process.argv.slice(2);
for (const [name, measure] of Object.entries(FIGURES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  console.log(JSON.stringify({ [name]: await measure() }, null, 2));
}
