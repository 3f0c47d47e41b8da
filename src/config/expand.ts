import { SluiceError } from '../model/error.ts';

const REFERENCE = /\$?\$\{([^}]*)\}/g;
const NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Replace `${NAME}` and `${NAME:-default}` in every string of a tree parsed from YAML; `$${NAME}` is the text `${NAME}`.
 * As in the shell, `:-` also replaces a variable that is set but empty. Values are inserted as they are: what a variable holds is never
 * expanded again nor read as YAML. Paths in `skip` (dotted) stay as they are: an override replaces them anyway.
 * Throws SluiceError `config_variable` naming the variable and the key it stands in.
 */
export function expandVariables(tree: unknown, env: Environment, skip: ReadonlySet<string>, path = ''): unknown {
  if (skip.has(path)) return tree;
  if (typeof tree === 'string') return expandString(tree, env, path);
  if (Array.isArray(tree)) return tree.map((item, index) => expandVariables(item, env, skip, `${path}[${index}]`));
  if (tree === null || typeof tree !== 'object') return tree;
  const entries = Object.entries(tree).map(([key, value]) => [
    key,
    expandVariables(value, env, skip, path === '' ? key : `${path}.${key}`),
  ]);
  return Object.fromEntries(entries);
}

function expandString(text: string, env: Environment, path: string): string {
  return text.replace(REFERENCE, (whole, inside: string | undefined) => {
    if (whole.startsWith('$$')) return whole.slice(1);
    const [, name, fallback] = NAME.exec(inside ?? '') ?? [];
    if (name === undefined) {
      throw new SluiceError(
        'config_variable',
        `${path} holds ${whole}, which is not a variable reference.`,
        `Write \${NAME} or \${NAME:-default}; $\${…} stands for the text itself.`,
      );
    }
    const value = env[name];
    if (value !== undefined && (value !== '' || fallback === undefined)) return value;
    if (fallback !== undefined) return fallback;
    throw new SluiceError(
      'config_variable',
      `${path} needs the environment variable ${name}, which is not set.`,
      `Set ${name}, or give a default: \${${name}:-…}.`,
    );
  });
}
