import type { Command } from 'commander';
import { type Config, type LakeConfig, type LoadOptions, loadConfig, loadLakeConfig } from '../config/index.ts';
import { printJson, writeOut } from './output.ts';

/** The process, as far as commands may touch it; main.ts hands in the real one. */
export interface Io {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Call back at each SIGINT or SIGTERM until the returned function is called. */
  onStopSignal(listener: (signal: NodeJS.Signals) => void): () => void;
  /** End by this signal at once: nothing is waited for. */
  endNow(signal: NodeJS.Signals): never;
}

/** What every command gets: the global options, the configuration, and a way to print that honours `--json`. */
export class Context {
  readonly io: Io;
  readonly json: boolean;
  /** The value of `--config`. */
  readonly configFile: string | undefined;
  /** The exit status so far. A command that has printed its result, but found something wrong, sets 1. */
  exitCode: 0 | 1 = 0;

  constructor(io: Io, options: { json?: boolean; config?: string }) {
    this.io = io;
    this.json = options.json ?? false;
    this.configFile = options.config;
  }

  /** See `loadConfig`: throws SluiceErrors that name file and key. */
  config(flags: Readonly<Record<string, string>> = {}): Config {
    return loadConfig({ ...this.#load(), flags });
  }

  /** Without the `source` part, which then need not be complete. */
  lakeConfig(): LakeConfig {
    return loadLakeConfig(this.#load());
  }

  /** Print a result: `data` under `--json`, else what `text` returns. */
  async print(data: unknown, text: () => string): Promise<void> {
    if (this.json) await printJson(this.io.stdout, data);
    else await writeOut(this.io.stdout, `${text()}\n`);
  }

  #load(): LoadOptions {
    return { ...(this.configFile === undefined ? {} : { file: this.configFile }), env: this.io.env, cwd: this.io.cwd };
  }
}

/** A command's body: arguments, then its own options, as commander parsed them. */
// biome-ignore lint/suspicious/noExplicitAny: what commander calls an action with; the body's own types say what it declared.
export type Body = (context: Context, ...args: any[]) => Promise<void>;

/** Turns a body into a commander action. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
export type Bind = (body: Body) => (...args: any[]) => Promise<void>;

/** What a command file exports: it adds its command to the program. */
export type Register = (program: Command, bind: Bind) => void;
