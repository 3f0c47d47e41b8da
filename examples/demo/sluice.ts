import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Run one `sluice` command to its end; resolves with what it printed. */
export async function sluice(folder: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`sluice ${args[0]} ended with ${code}:\n${err}`);
  return out;
}

/** `sluice run` as a process of its own, watched by its log. */
export class Daemon {
  /** Changes that reached the lake. */
  changes = 0;
  batches = 0;
  /** Batches that a daemon before this one had left open. */
  recovered = 0;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  start(): void {
    const child = spawn(process.execPath, [MAIN, 'run'], { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    createInterface({ input: child.stderr }).on('line', (line) => {
      const entry = JSON.parse(line) as { msg: string; rows?: number; recovered?: boolean; level: string };
      if (entry.level === 'error') console.error(line);
      if (entry.msg !== 'batch done') return;
      this.batches++;
      this.changes += entry.rows ?? 0;
      if (entry.recovered) this.recovered++;
    });
  }

  /** SIGKILL: no chance to tidy up. SIGTERM: the batch at work is finished. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return;
    child.kill(signal);
    await once(child, 'close');
  }
}
