import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config/index.ts';
import { classify } from '../model/fault.ts';
import type { Io } from './context.ts';

/** Properties that would show a password, at the top of a log line or one level down. */
const SECRETS = ['url', 'dsn', 'password', 'catalog'].flatMap((name) => [name, `*.${name}`]);

/**
 * The log, on stderr: stdout is for results. Errors are logged as their classification and the places of the stack, never with the
 * properties that drivers hang on them (statement, parameters, detail), for those hold values of rows.
 */
export function createLogger({ level, format }: Config['log'], { stderr }: Pick<Io, 'stderr'>): Logger {
  const terminal = stderr.isTTY === true;
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRETS, censor: '***' },
    serializers: { err: describeError },
  };
  if ((format ?? (terminal ? 'pretty' : 'json')) === 'json') return pino(options, stderr);
  const colorize = terminal && stderr.hasColors();
  return pino(options, pretty({ destination: stderr, colorize, translateTime: 'SYS:HH:MM:ss.l', sync: true }));
}

/** Warnings for commands that have no log of their own. */
export function warnings(io: Pick<Io, 'stderr'>): Logger {
  return createLogger({ level: 'warn' }, io);
}

function describeError(error: unknown): Record<string, unknown> {
  const { code, message, retry } = classify(error);
  const stack = error instanceof Error ? error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) : undefined;
  return { code, message, retry, ...(stack === undefined || stack.length === 0 ? {} : { stack: stack.join('\n') }) };
}
