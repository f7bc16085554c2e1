export type Fields = Record<string, unknown>;

/** The value's own fields when it is an object, else none. */
export function fieldsOf(value: unknown): Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : {};
}

/** An operation that cannot become a tool. */
export class OperationError extends Error {}

const SCHEMA_PREFIX = '#/components/schemas/';
/** Words of OpenAPI that JSON Schema does not know or that say nothing about validity. */
const DROPPED = new Set([
  'nullable',
  'discriminator',
  'xml',
  'externalDocs',
  'example',
  'examples',
  'readOnly',
  'writeOnly',
]);
/** Keywords whose value is data, not a schema. */
const DATA = new Set(['enum', 'const', 'default', 'required']);
const MAX_DEPTH = 64;

/**
 * Makes JSON Schema 2020-12 of a schema of OpenAPI 3.0 or 3.1: `nullable`, boolean exclusive bounds, and references to
 * components as references into `$defs`.
 * @throws OperationError for a reference that leads out of the document.
 */
export function convertSchema(value: unknown): unknown {
  return convert(value, false, 0);
}

function convert(value: unknown, namesAreKeys: boolean, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new OperationError('a schema is nested too deep');
  if (Array.isArray(value)) return value.map((item) => convert(item, false, depth + 1));
  if (value === null || typeof value !== 'object') return value;
  const fields = value as Fields;
  const result: Fields = {};
  for (const [key, item] of Object.entries(fields)) {
    if (namesAreKeys) result[key] = convert(item, false, depth + 1);
    else if (key === '$ref') result[key] = localReference(item);
    else if (DATA.has(key)) result[key] = item;
    else if (!DROPPED.has(key) && !key.startsWith('x-')) {
      result[key] = convert(
        item,
        key === 'properties' || key === 'patternProperties' || key === '$defs',
        depth + 1,
      );
    }
  }
  return namesAreKeys ? result : modernized(fields, result);
}

function modernized(fields: Fields, result: Fields): Fields {
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (typeof result[exclusive] !== 'boolean') continue;
    if (result[exclusive] === true && result[bound] !== undefined) {
      result[exclusive] = result[bound];
      delete result[bound];
    } else delete result[exclusive];
  }
  if (fields['nullable'] !== true) return result;
  if (typeof result['type'] === 'string') {
    result['type'] = [result['type'], 'null'];
    if (Array.isArray(result['enum']) && !result['enum'].includes(null))
      result['enum'] = [...result['enum'], null];
    return result;
  }
  return { anyOf: [result, { type: 'null' }] };
}

function localReference(value: unknown): string {
  if (typeof value === 'string' && value.startsWith(SCHEMA_PREFIX)) {
    const name = value.slice(SCHEMA_PREFIX.length);
    if (!name.includes('/')) return `#/$defs/${name}`;
  }
  throw new OperationError(
    `reference ${String(value).slice(0, 100)} does not lead to a schema of this document`,
  );
}

/** The components of one document. */
export class OpenapiSchemas {
  readonly #root: Fields;
  readonly #converted = new Map<string, unknown>();

  constructor(root: Fields) {
    this.#root = root;
  }

  /** Follows `$ref` of a parameter, body, response or path item inside the document. Throws OperationError. */
  resolve(value: unknown): unknown {
    let current = value;
    for (let hop = 0; hop < 20; hop++) {
      const reference = fieldsOf(current)['$ref'];
      if (reference === undefined) return current;
      if (typeof reference !== 'string' || !reference.startsWith('#/')) {
        throw new OperationError(`reference ${String(reference).slice(0, 100)} leads out of the document`);
      }
      current = reference
        .slice(2)
        .split('/')
        .reduce<unknown>((at, part) => {
          const key = unescape(part);
          return Object.hasOwn(fieldsOf(at), key) ? fieldsOf(at)[key] : undefined;
        }, this.#root);
      if (current === undefined)
        throw new OperationError(`reference ${reference.slice(0, 100)} leads nowhere`);
    }
    throw new OperationError('references lead in a circle');
  }

  /** A schema on its own, with the definitions it needs; always an object. */
  standalone(schema: unknown): Record<string, unknown> {
    const converted = convertSchema(schema);
    return this.withDefinitions(typeof converted === 'object' ? fieldsOf(converted) : {});
  }

  /** Adds `$defs` for every reference in a converted schema, and for those in the definitions themselves. */
  withDefinitions(schema: Record<string, unknown>): Record<string, unknown> {
    const names = new Set<string>();
    const pending = referencesIn(schema);
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (names.has(name)) continue;
      names.add(name);
      pending.push(...referencesIn(this.#definition(name)));
    }
    if (names.size === 0) return schema;
    return {
      ...schema,
      $defs: Object.fromEntries([...names].map((name) => [unescape(name), this.#definition(name)])),
    };
  }

  #definition(name: string): unknown {
    if (!this.#converted.has(name)) {
      this.#converted.set(name, convertSchema(this.resolve({ $ref: SCHEMA_PREFIX + name })));
    }
    return this.#converted.get(name);
  }
}

function referencesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  return Object.entries(fieldsOf(value)).flatMap(([key, item]) =>
    key === '$ref' && typeof item === 'string' ? [item.slice('#/$defs/'.length)] : referencesIn(item),
  );
}

/** A JSON Pointer token inside a URI fragment, decoded. */
function unescape(token: string): string {
  const plain = token.replace(/~1/g, '/').replace(/~0/g, '~');
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
