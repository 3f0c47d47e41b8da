import { mapping, type TypeMapping } from './type-mapping.ts';

/**
 * A one-dimensional list. Lower bounds are not captured. A value of more dimensions has no place in it: the parser raises for it,
 * except where elements are text, which would take an inner list's JSON for a text. There the scanner makes a JSON string of such a value.
 */
export function listOf(element: TypeMapping): TypeMapping {
  const lakeType = `${element.lakeType}[]`;
  const parseType = `${element.parseType}[]`;
  const unsafe = [
    ...(element.parseType === 'VARCHAR' ? ['\\['] : []),
    ...(element.exact === 'no' ? [] : [element.parseType === 'VARCHAR' ? '[^\\]]*(?:[.e]|-0)' : '[^\\]]*-0[,\\]]']),
  ];
  const each = (convert: (one: string) => string) => (list: string) =>
    convert('x') === 'x' ? list : `list_transform(${list}, lambda x: ${convert('x')})`;
  const texts = (text: string) => `from_json_strict(CASE WHEN ${text} LIKE '[[%' THEN 'many dimensions' ELSE ${text} END, '["VARCHAR"]')`;
  return mapping({
    lakeType,
    parseType,
    value: parseType === lakeType ? (parsed) => parsed : each(element.value),
    fromText: (text) => each(element.fromText)(texts(text)),
    ...(unsafe.length === 0 ? {} : { exact: 'array', unsafe: `\\[(?:${unsafe.join('|')})` }),
    rule: 'a list; lower bounds are not captured',
    lost: ['more than one dimension', ...(element.lost === null ? [] : [element.lost])].join('; '),
  });
}
