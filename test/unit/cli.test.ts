// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a configuration file are written like this.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';

/** The real program in a process of its own; most of its time goes into starting, so the tests run at once. */
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const PATIENCE_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function sluice(args: readonly string[], { env = {}, yaml }: { env?: Record<string, string>; yaml?: string } = {}): Promise<Ended> {
  const cwd = mkdtempSync(join(folder, 'case-'));
  if (yaml !== undefined) writeFileSync(join(cwd, 'sluice.yaml'), yaml);
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, HOME: cwd, ...env },
  });
  const ended = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => {
    ended.stdout += data;
  });
  child.stderr.on('data', (data) => {
    ended.stderr += data;
  });
  return new Promise((done, fail) => {
    child.on('error', fail).on('close', (status) => done({ status, ...ended }));
  });
}

const program = buildProgram({
  stdout: process.stdout,
  stderr: process.stderr,
  env: {},
  cwd: folder,
  onStopSignal: () => () => {},
  endNow: () => {
    throw new Error('not reached');
  },
});
const names = program.commands.map((command) => command.name());

describe.concurrent('sluice', { timeout: PATIENCE_MS }, () => {
  it('has the commands of the public contract', () => {
    const contract = [
      'init',
      'install',
      'sql',
      'track',
      'untrack',
      'run',
      'status',
      'query',
      'verify',
      'snapshot',
      'reset',
      'rebuild',
      'doctor',
      'extensions',
      'uninstall',
    ];
    expect([...names].sort()).toEqual(contract.sort());
  });

  it.each(names)('%s --help shows its options and the global ones', async (name) => {
    const { status, stdout, stderr } = await sluice([name, '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`Usage: sluice ${name}`);
    expect(stdout).toContain('--config <file>');
    expect(stdout).toContain('--json');
  });

  it.each([
    [['nope'], "unknown command 'nope'"],
    [['tarck'], 'Did you mean track?'],
    [['run', '--onec'], '--once'],
    [['untrack'], "missing required argument 'pattern'"],
    [['query'], "missing required argument 'sql'"],
    [['sql', 'extra'], 'too many arguments'],
    [['init', '--url', 'x', '--forse'], '--force'],
    [['init'], 'needs the URL'],
    [['init', '--url', 'mysql://x'], 'postgres://'],
    [['uninstall'], 'not reached the lake'],
  ])('usage errors exit 2: %j', async (args, expected) => {
    const { status, stdout, stderr } = await sluice([...args, '--json']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(JSON.parse(stderr)).toEqual({ error: { code: 'usage', message: expect.any(String), remedy: expect.any(String) } });
    expect(stderr).toContain(expected);
  });

  it.each([['--url'], ['SLUICE_SOURCE_URL'], ['DATABASE_URL']])('init names what holds a URL that cannot be parsed: %s', async (name) => {
    const url = 'postgres://me:hunter2#x@h/d';
    const { status, stderr } = await sluice(
      name === '--url' ? ['init', name, url, '--json'] : ['init', '--json'],
      name === '--url' ? {} : { env: { DATABASE_URL: 'postgres://me@127.0.0.1:1/d', [name]: url } },
    );
    expect(status).toBe(1);
    expect(JSON.parse(stderr).error).toMatchObject({ code: 'config_invalid', message: expect.stringContaining(name) });
    expect(stderr).not.toContain('hunter2');
  });

  it('errors are two lines for people', async () => {
    const { status, stderr } = await sluice(['run', '--onec']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: .*--onec.*\[usage\]\nremedy: .*\n$/);
  });

  it('without a command shows the help, and exits 2', async () => {
    const [plain, json] = await Promise.all([sluice([]), sluice(['--json'])]);
    expect([plain.status, json.status]).toEqual([2, 2]);
    expect(plain.stderr).toContain('Usage: sluice');
    expect(JSON.parse(json.stderr).error.code).toBe('usage');
  });

  it('--version', async () => {
    const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'));
    expect(await sluice(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each([
    ['config_missing', [], undefined],
    ['config_unknown_key', ['source.url'], 'source: { uri: "postgres://h/d" }'],
    ['config_variable', ['source.url', 'NO_SUCH_VARIABLE'], 'source: { url: "${NO_SUCH_VARIABLE}" }'],
    ['config_syntax', ['line 1'], 'source: { url: "postgres://me:hunter2@h/d"'],
    ['config_invalid', ['batch.interval'], 'source: { url: "postgres://me:hunter2@h/d" }\nbatch: { interval: 1 }'],
  ])('%s exits 1', async (code, named, yaml) => {
    const options = yaml === undefined ? {} : { yaml };
    const { status, stdout, stderr } = await sluice(['status', '--json'], options);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(JSON.parse(stderr).error.code).toBe(code);
    for (const name of named) expect(stderr).toContain(name);
    expect(stderr).not.toContain('hunter2');
  });

  it('--json and --config may stand before the command', async () => {
    const { status, stderr } = await sluice(['--json', '--config', 'other.yaml', 'status']);
    expect(status).toBe(1);
    expect(JSON.parse(stderr).error).toMatchObject({ code: 'config_missing', message: expect.stringContaining('other.yaml') });
  });

  it.each([['install'], ['track', 'a.b'], ['untrack', 'a.b'], ['run', '--once'], ['status'], ['uninstall', '--yes']])(
    'names a source that cannot be reached: %s',
    async (...args) => {
      const env = { SLUICE_SOURCE_URL: 'postgres://me:hunter2@127.0.0.1:1/d', SLUICE_LOG_LEVEL: 'silent' };
      const { status, stderr } = await sluice([...args, '--json'], { env });
      expect(status).toBe(1);
      expect(JSON.parse(stderr).error).toMatchObject({ code: 'source_unreachable' });
      expect(stderr).not.toContain('hunter2');
    },
  );

  it('doctor reports it as a finding and looks at the rest', async () => {
    const env = {
      SLUICE_SOURCE_URL: 'postgres://me:hunter2@127.0.0.1:1/d',
      SLUICE_LAKE_TYPE: 'duckdb',
      SLUICE_STAGING: 'fifo',
      SLUICE_TABLE: 'x',
    };
    const { status, stdout } = await sluice(['doctor', '--json'], { env });
    expect(status).toBe(1);
    const { ok, findings } = JSON.parse(stdout);
    expect(ok).toBe(false);
    const levels = Object.fromEntries(findings.map(({ check, level }: { check: string; level: string }) => [check, level]));
    expect(levels).toEqual({ config: 'warning', source: 'error', engine: 'ok', lake: 'ok' });
    expect(stdout).toContain('SLUICE_TABLE ');
    expect(stdout).not.toContain('hunter2');
  });

  it('query says that there is no lake, and makes none', async () => {
    const { status, stderr } = await sluice(['query', 'select 1', '--json'], {
      env: { SLUICE_LAKE_TYPE: 'duckdb', SLUICE_LAKE_PATH: join(folder, 'no.duckdb') },
    });
    expect(status).toBe(1);
    expect(JSON.parse(stderr).error.code).toBe('lake_missing');
    expect(existsSync(join(folder, 'no.duckdb'))).toBe(false);
  });

  it('sql prints a script, and under --json the same in an object', async () => {
    const [plain, json] = await Promise.all([sluice(['sql']), sluice(['sql', '--json'])]);
    expect(plain.stdout).toContain('audit.swap');
    expect(JSON.parse(json.stdout)).toEqual({ sql: plain.stdout });
  });

  it('ends quietly when nobody reads its output any more', async () => {
    const child = spawn(process.execPath, [MAIN, 'sql'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    const status = await new Promise((done) => child.on('close', done));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('docs/cli.md', () => {
  const text = readFileSync(resolve(import.meta.dirname, '../../docs/cli.md'), 'utf8');

  it.each(program.commands.map((command) => [command.name(), command] as const))('describes %s with its options', (name, command) => {
    const chapter = text.split(/^## /m).find((part) => part.startsWith(`\`sluice ${name}`));
    expect(chapter).toBeDefined();
    for (const option of command.options) expect(chapter).toContain(`\`${option.long}`);
  });
});
