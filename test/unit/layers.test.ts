import { readdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What each folder of src may import besides itself. `ports`: types of src/pipeline/ports.ts only. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  model: [],
  config: ['model'],
  pipeline: ['model'],
  source: ['model', 'ports'],
  lake: ['model', 'ports'],
  daemon: ['model', 'config', 'pipeline', 'source', 'lake'],
  cli: ['model', 'config', 'pipeline', 'source', 'lake', 'daemon'],
};

const SRC = resolve(import.meta.dirname, '../../src');
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

interface Import {
  readonly typeOnly: boolean;
  /** Path below src, or the name of a package. */
  readonly target: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(resolve(SRC, file), 'utf8');
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)|(?:^|\n)import\s+'([^']+)'/g,
  );
  return [...found].map(([, typeOnly, named, dynamic, bare]) => {
    const specifier = named ?? dynamic ?? bare ?? '';
    const target = specifier.startsWith('.') ? relative(SRC, resolve(SRC, dirname(file), specifier)) : specifier;
    return { typeOnly: typeOnly !== undefined, target };
  });
}

function violation(file: string, { typeOnly, target }: Import): string | undefined {
  const from = file.split('/')[0] as string;
  const to = target.split('/')[0] as string;
  const allowed = ALLOWED[from] ?? [];
  if (!(to in ALLOWED) || to === from || allowed.includes(to)) return undefined;
  if (target === 'pipeline/ports.ts' && typeOnly && allowed.includes('ports')) return undefined;
  return `${file} imports ${target}`;
}

describe('folders of src', () => {
  it('are all known here', () => {
    expect([...new Set(files.map((file) => file.split('/')[0] as string))].filter((folder) => !(folder in ALLOWED))).toEqual([]);
  });

  it('are seen to import each other at all', () => {
    expect(importsOf('pipeline/ports.ts').map(({ target }) => target)).toContain('model/batch.ts');
    expect(importsOf('cli/commands/query.ts').map(({ target }) => target)).toContain('lake/index.ts');
  });

  it('depend downward only', () => {
    expect(files.flatMap((file) => importsOf(file).flatMap((one) => violation(file, one) ?? []))).toEqual([]);
  });

  it('leave the process and its environment to the command line and the configuration', () => {
    const offenders = files.filter(
      (file) => !/^(cli|config)\//.test(file) && /\bprocess\.(exit|env)\b/.test(readFileSync(resolve(SRC, file), 'utf8')),
    );
    expect(offenders).toEqual([]);
  });
});
