import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a process took from its start to its end. */
export interface Spent {
  readonly seconds: number;
  /** The highest RSS of the process and all it has started, together, in MB. NaN where there is no /proc. */
  readonly peakMb: number;
}

const TIMEOUT_MS = 900_000;
const SAMPLE_MS = 50;

/** Run a command to its end. Rejects with the end of what it printed when that is not success. */
export async function run({ file, args, cwd, env }: Command): Promise<Spent> {
  const started = performance.now();
  const child = spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Not `timeout`, whose timer outlives a command that can't be started.
    signal: AbortSignal.timeout(TIMEOUT_MS),
    killSignal: 'SIGKILL',
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-4_000);
    });
  }
  let peakKb = 0;
  const sampling = setInterval(() => {
    if (child.pid !== undefined) peakKb = Math.max(peakKb, sampleKb(child.pid));
  }, SAMPLE_MS);
  try {
    // What it has started may hold its output open for longer than it runs.
    const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal, seconds: (performance.now() - started) / 1000 }));
    const [{ code, signal, seconds }] = await Promise.all([exited, once(child, 'close')]);
    if (code !== 0) throw new Error(`${file} ended with ${code ?? signal}:\n${printed}`);
    return { seconds, peakMb: peakKb === 0 ? Number.NaN : Math.round(peakKb / 1024) };
  } finally {
    clearInterval(sampling);
  }
}

/**
 * What a tree of processes holds just now, but at least the highest that one of them ever held (VmHWM): so a process that is alone is measured exactly,
 * however seldom one looks.
 */
function sampleKb(root: number): number {
  let sum = 0;
  let highest = 0;
  const tree = [root];
  for (const pid of tree) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      sum += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
      highest = Math.max(highest, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
        if (children !== '') tree.push(...children.split(' ').map(Number));
      }
    } catch {
      // It has ended since it was found.
    }
  }
  return Math.max(sum, highest);
}
