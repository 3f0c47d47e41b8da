import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { classify } from '../model/fault.ts';
import { commands } from './commands/index.ts';
import { type Bind, Context, type Io } from './context.ts';
import { renderError } from './output.ts';

/** Exit statuses: 0 ok, 1 failed, 2 the command line was wrong. */
export type ExitCode = 0 | 1 | 2;

/** Run one command line (without node and script) to its end. Never throws: errors are printed. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<ExitCode> {
  let context: Context | undefined;
  const program = buildProgram(io, (created) => {
    context = created;
  });
  // The help that commander writes where no command was given is no JSON.
  if (asksForJson(args)) program.configureOutput({ writeErr: () => {} });
  try {
    await program.parseAsync(args, { from: 'user' });
    return context?.exitCode ?? 0;
  } catch (error) {
    const json = context?.json ?? asksForJson(args);
    if (error instanceof CommanderError) return usageExit(error, program, json, io);
    const fault = classify(error);
    io.stderr.write(renderError(fault, json, io.stderr));
    return fault.code === 'usage' ? 2 : 1;
  }
}

/** The whole command tree. `onStart` learns of the context as soon as a command begins. */
export function buildProgram(io: Io, onStart: (context: Context) => void = () => {}): Command {
  const program = new Command('sluice')
    .description('Every committed change of chosen PostgreSQL tables arrives in a DuckLake or DuckDB file.')
    .version(packageVersion(), '--version', 'print the version')
    .option('--config <file>', 'configuration file (default: sluice.yaml in this folder)')
    .option('--json', 'print results and errors as JSON')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text), outputError: () => {} })
    .exitOverride();
  const bind: Bind =
    (body) =>
    async (...args) => {
      // Commander appends the command itself to an action's arguments.
      const command: Command = args.pop();
      const context = new Context(io, command.optsWithGlobals());
      onStart(context);
      await body(context, ...args);
    };
  for (const register of commands) register(program, bind);
  return program;
}

/** Help and --version arrive as errors too; the rest is a usage error. */
function usageExit(error: CommanderError, program: Command, json: boolean, io: Io): ExitCode {
  if (error.exitCode === 0) return 0;
  if (error.code === 'commander.help' && !json) return 2;
  const message =
    error.code === 'commander.help' ? 'no command was given' : error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const fault = { code: 'usage', message, remedy: `Run ${program.name()} --help, or --help after a command.` };
  io.stderr.write(renderError(fault, json, io.stderr));
  return 2;
}

/** For errors that come before the options are parsed. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).includes('--json');
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
