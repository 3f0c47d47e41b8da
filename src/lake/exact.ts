/** Name of the scanner as a scalar function of the engine: sluice_exact(data VARCHAR, keys VARCHAR) → VARCHAR. */
export const EXACT = 'sluice_exact';

/** What the scanner does with a column's value; see TypeMapping.exact. */
export type ExactKind = 'number' | 'json' | 'array';

/**
 * Turns values that a JSON parser would alter into JSON strings that hold their source text, in the text of one object as row_to_json
 * writes it: `"amount":2.50` → `"amount":"2.50"`, `"doc":{"a":2.50}` → `"doc":"{\"a\":2.50}"`, `"list":[2.50]` → `"list":["2.50"]`,
 * `"list":[[1],[2]]` → `"list":"[[1],[2]]"`. Only keys of the object itself are looked at; all else stays as it is, character by character.
 * A JSON null stays null. A text that is no object is given back unchanged: the parser behind will say so.
 * @param keys by the key as it is written in JSON, with its quotes
 */
export function exactText(text: string, keys: ReadonlyMap<string, ExactKind>): string {
  if (text.charCodeAt(0) !== BRACE) return text;
  let out = '';
  let copied = 0;
  let at = 1;
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) return text.charCodeAt(at) === BRACE_END ? out + text.slice(copied) : text;
    const keyEnd = afterString(text, at);
    const kind = keys.get(text.slice(at, keyEnd));
    const start = keyEnd + 1;
    const end = afterValue(text, start);
    if (end >= text.length) return text;
    if (kind !== undefined) {
      const raw = text.slice(start, end);
      const held = hold(raw, kind);
      if (held !== raw) {
        out += text.slice(copied, start) + held;
        copied = end;
      }
    }
    if (text.charCodeAt(end) === BRACE_END) return out + text.slice(copied);
    at = end + 1;
  }
}

const QUOTE = 34;
const COMMA = 44;
const BRACKET = 91;
const BACKSLASH = 92;
const BRACKET_END = 93;
const BRACE = 123;
const BRACE_END = 125;

function hold(raw: string, kind: ExactKind): string {
  switch (kind) {
    case 'number':
      return /^[-0-9]/.test(raw) ? `"${raw}"` : raw;
    case 'json':
      return raw.trim() === 'null' ? raw : JSON.stringify(raw);
    case 'array':
      if (raw.startsWith('[[')) return JSON.stringify(raw);
      // Strings are matched to be passed over: numbers in them are not ours.
      return raw.replace(/"(?:[^"\\]|\\.)*"|[-0-9][-+.0-9eE]*/g, (token) => (token.startsWith('"') ? token : `"${token}"`));
  }
}

/** Index behind the string that begins at `at`. indexOf runs at the speed of memory; the backslashes before a quote are what tells its end. */
function afterString(text: string, at: number): number {
  let quote = at;
  for (;;) {
    quote = text.indexOf('"', quote + 1);
    if (quote === -1) return text.length;
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 1) return quote + 1;
  }
}

/** Index of the comma or brace behind the value that begins at `at`, white space included. */
function afterValue(text: string, at: number): number {
  let depth = 0;
  let index = at;
  while (index < text.length) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) {
      index = afterString(text, index);
      continue;
    }
    if (code === BRACE || code === BRACKET) depth += 1;
    else if (code === COMMA) {
      if (depth === 0) return index;
    } else if (code === BRACE_END || code === BRACKET_END) {
      if (depth === 0) return index;
      depth -= 1;
    }
    index += 1;
  }
  return index;
}
