import { z } from 'zod';
import { configSchema } from './schema.ts';

/** One option of the schema, as the reference, the environment and the error messages need it. */
export interface ConfigOption {
  /** Dotted path in the file: `lake.data`. */
  readonly key: string;
  /** The environment variable that overrides it: `SLUICE_LAKE_DATA`. */
  readonly variable: string;
  readonly type: string;
  /** As the user would write it; undefined when there is none. */
  readonly preset: string | undefined;
  readonly required: boolean;
  readonly description: string;
  /** `lake.path` exists only under `type: duckdb`; undefined for options that stand in every file. */
  readonly lakeType: string | undefined;
}

/** All options in the order of the schema. */
export const configOptions: readonly ConfigOption[] = collect(configSchema, '', undefined);

function collect(schema: z.core.$ZodType, key: string, lakeType: string | undefined): ConfigOption[] {
  const { inner, preset, optional } = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    const type: unknown = key === 'lake' ? inner.shape.type?.value : lakeType;
    const entries = Object.entries<z.core.$ZodType>(inner.shape);
    return entries.flatMap(([name, child]) => collect(child, key === '' ? name : `${key}.${name}`, type as string | undefined));
  }
  if (inner instanceof z.ZodDiscriminatedUnion) {
    return inner.options.flatMap((option, index) =>
      collect(option, key, undefined).filter((found) => index === 0 || found.key !== 'lake.type'),
    );
  }
  const meta = z.globalRegistry.get(schema) ?? {};
  const discriminator = key === 'lake.type';
  return [
    {
      key,
      variable: `SLUICE_${key.replaceAll('.', '_').toUpperCase()}`,
      type: discriminator ? 'ducklake | duckdb' : typeName(inner, meta.type),
      preset: discriminator ? 'ducklake' : preset,
      required: preset === undefined && !optional && !discriminator,
      description: meta.description ?? '',
      lakeType: discriminator ? undefined : lakeType,
    },
  ];
}

/** Looks through defaults, optionality and transformations down to the schema that has the shape. */
function unwrap(schema: z.core.$ZodType): { inner: z.core.$ZodType; preset: string | undefined; optional: boolean } {
  let inner = schema;
  let preset: string | undefined;
  let optional = false;
  for (;;) {
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      preset ??= show(inner.def.defaultValue);
      inner = inner.def.innerType;
    } else if (inner instanceof z.ZodOptional) {
      optional = true;
      inner = inner.def.innerType;
    } else if (inner instanceof z.ZodPipe) {
      inner = inner.def.in instanceof z.ZodTransform ? inner.def.out : inner.def.in;
    } else {
      return { inner, preset, optional };
    }
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function typeName(schema: z.core.$ZodType, named: unknown): string {
  if (typeof named === 'string') return named;
  if (schema instanceof z.ZodEnum) return schema.options.join(' | ');
  return schema._zod.def.type;
}
