import { readFileSync, writeFileSync } from 'node:fs';
import { configOptions } from './options.ts';

/** The table of docs/configuration.md lies between these lines. Made by: node src/config/reference.ts */
const BEGIN = '<!-- options: made from src/config/schema.ts by `node src/config/reference.ts` -->';
const END = '<!-- /options -->';

/** All options as a Markdown table. */
export function optionsTable(): string {
  const rows = configOptions.map(({ key, type, preset, required, description, lakeType, variable }) => {
    const standard = required ? 'required' : preset === undefined ? '' : code(preset);
    const only = lakeType === undefined ? '' : ` With \`type: ${lakeType}\`.`;
    return `| ${[code(key), type.replaceAll('|', '\\|'), standard, `${description}${only}`, code(variable)].join(' | ')} |`;
  });
  return ['| Key | Type | Default | Meaning | Environment |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** The document with the table as it should be. Throws where the marking lines are missing. */
export function withOptionsTable(document: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin === -1 || end < begin) throw new Error('the document has no place for the table of options');
  return `${document.slice(0, begin + BEGIN.length)}\n${optionsTable()}\n${document.slice(end)}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) {
  const file = new URL('../../docs/configuration.md', import.meta.url);
  writeFileSync(file, withOptionsTable(readFileSync(file, 'utf8')));
}
