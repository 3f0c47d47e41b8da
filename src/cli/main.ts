#!/usr/bin/env node
import type { Io } from './context.ts';
import { runCommandLine } from './program.ts';

// A reader that has seen enough (`sluice query … | head`) closes the pipe: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  onStopSignal(listener) {
    process.on('SIGINT', listener).on('SIGTERM', listener);
    return () => process.off('SIGINT', listener).off('SIGTERM', listener);
  },
  endNow(signal) {
    // process.exit waits for the engine's threads, and one may wait for a lock of PostgreSQL: only the signal's own action ends them.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    process.exit(1);
  },
};

process.exitCode = await runCommandLine(process.argv.slice(2), io);
