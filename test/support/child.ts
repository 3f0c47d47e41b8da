import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A child process whose output is kept. */
export interface Child {
  readonly process: ChildProcess;
  /** What it has written to stderr so far. */
  log(): string;
  /** Resolves when it has ended: its signal or exit code, and what it wrote. */
  readonly ended: Promise<Ended>;
}

export interface Ended {
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly stdout: string;
  /** stderr. */
  readonly log: string;
}

/** Start a program with its stdin closed. */
export function start(command: string, args: readonly string[], options: Pick<SpawnOptions, 'cwd' | 'env'> = {}): Child {
  const spawned = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  let stdout = '';
  spawned.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  spawned.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ended = once(spawned, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    log,
  }));
  return { process: spawned, log: () => log, ended };
}
