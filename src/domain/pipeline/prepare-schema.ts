import { invalidInput, type PaoError, type Problem } from '../errors.js';
import { jsonPointer, valueAt } from '../problems-from-zod.js';
import { linearRegExp } from './linear-pattern.js';

/** Bounds of a schema that comes from outside. */
const SCHEMA_LIMITS = { size: 262_144, depth: 32, schemas: 5000 } as const;

/** The keyword that is put into every subschema, so that the work of a validation can be counted and bounded. */
export const STEP_KEYWORD = 'x-pao-step';

const ONE = [
  'additionalItems',
  'additionalProperties',
  'contains',
  'contentSchema',
  'else',
  'if',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
] as const;
const LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems'] as const;
const MAPS = ['$defs', 'definitions', 'dependentSchemas', 'patternProperties', 'properties'] as const;

type Json = Record<string, unknown>;

/**
 * Copies a JSON Schema for compilation: only what validates is kept of the vocabulary that names documents, every
 * subschema gets {@link STEP_KEYWORD}, and what could reach outside or run away is refused.
 * @throws PaoError PAO_INPUT_INVALID listing every problem.
 */
export function prepareSchema(schema: unknown): Json | boolean {
  const problems: Problem[] = [];
  const text = boundedText(schema);
  if (text === null)
    throw refused([
      { pointer: '', message: `is larger than ${SCHEMA_LIMITS.size} characters, or nested too deep` },
    ]);
  const walk = new SchemaWalk(problems, schema);
  const prepared = walk.subschema(schema, [], 0);
  if (problems.length > 0) throw refused(problems);
  return prepared;
}

function refused(problems: Problem[]): PaoError {
  return invalidInput('The JSON Schema can not be used.', problems.slice(0, 50));
}

function boundedText(schema: unknown): string | null {
  try {
    const text = JSON.stringify(schema) ?? '';
    return text.length <= SCHEMA_LIMITS.size ? text : null;
  } catch {
    return null;
  }
}

class SchemaWalk {
  #count = 0;

  constructor(
    private readonly problems: Problem[],
    private readonly root: unknown,
  ) {}

  subschema(schema: unknown, path: (string | number)[], depth: number): Json | boolean {
    if (typeof schema === 'boolean') return schema;
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
      this.#refuse(path, 'must be an object, true or false');
      return true;
    }
    this.#count += 1;
    if (this.#count === SCHEMA_LIMITS.schemas + 1) {
      this.#refuse(path, `has more than ${SCHEMA_LIMITS.schemas} subschemas`);
    }
    if (depth > SCHEMA_LIMITS.depth) {
      this.#refuse(path, `is nested deeper than ${SCHEMA_LIMITS.depth}`);
      return true;
    }
    if (this.#count > SCHEMA_LIMITS.schemas) return true;
    const made: Json = { [STEP_KEYWORD]: true };
    for (const [key, value] of Object.entries(schema)) {
      if (key === '__proto__') this.#refuse([...path, key], 'is not allowed');
      else this.#keyword(made, key, value, path, depth);
    }
    return made;
  }

  #keyword(made: Json, key: string, value: unknown, path: (string | number)[], depth: number): void {
    const here = [...path, key];
    if (key === '$schema' || key === '$comment' || key === '$vocabulary') return;
    // An id would name the schema in the compiler, which many schemas share.
    if ((key === '$id' || key === 'id') && path.length === 0) return;
    if (key === '$id') {
      this.#refuse(here, 'is allowed at the top only');
      return;
    }
    if (
      key === '$dynamicRef' ||
      key === '$recursiveRef' ||
      key === '$dynamicAnchor' ||
      key === '$recursiveAnchor'
    ) {
      this.#refuse(here, `${key} is not supported`, 'Use $ref to a definition in the same schema');
      return;
    }
    if (key === '$ref') {
      if (typeof value !== 'string' || !value.startsWith('#')) {
        this.#refuse(
          here,
          'may lead only into the same schema',
          'Put the definition under $defs and use "#/$defs/name"',
        );
        return;
      }
      if (leadsNowhere(value, this.root)) this.#refuse(here, 'leads to nothing in this schema');
      made[key] = value;
    } else if (key === 'pattern') {
      if (typeof value === 'string') this.#pattern(value, here);
      made[key] = value;
    } else if ((ONE as readonly string[]).includes(key)) {
      made[key] = this.subschema(value, here, depth + 1);
    } else if ((LISTS as readonly string[]).includes(key) && Array.isArray(value)) {
      made[key] = value.map((one, index) => this.subschema(one, [...here, index], depth + 1));
    } else if (key === 'items') {
      // Before 2020-12 a list of schemas under `items` was what `prefixItems` is now.
      if (Array.isArray(value))
        made['prefixItems'] = value.map((one, index) => this.subschema(one, [...here, index], depth + 1));
      else made[key] = this.subschema(value, here, depth + 1);
    } else if ((MAPS as readonly string[]).includes(key) && typeof value === 'object' && value !== null) {
      made[key] = this.#map(key, value as Json, here, depth);
    } else {
      made[key] = value;
    }
  }

  #map(key: string, value: Json, here: (string | number)[], depth: number): Json {
    const map: Json = {};
    for (const [name, one] of Object.entries(value)) {
      if (name === '__proto__') this.#refuse([...here, name], 'is not allowed');
      else {
        if (key === 'patternProperties') this.#pattern(name, [...here, name]);
        map[name] = this.subschema(one, [...here, name], depth + 1);
      }
    }
    return map;
  }

  #pattern(pattern: string, here: (string | number)[]): void {
    try {
      linearRegExp(pattern);
    } catch (error) {
      this.#refuse(here, error instanceof Error ? error.message : String(error));
    }
  }

  #refuse(path: (string | number)[], message: string, hint?: string): void {
    this.problems.push({ pointer: jsonPointer(path), message, ...(hint === undefined ? {} : { hint }) });
  }
}

/** Whether a reference is a JSON Pointer to what is not there; names (`#tree`) are left to the compiler. */
function leadsNowhere(reference: string, root: unknown): boolean {
  if (!reference.startsWith('#/')) return false;
  try {
    const path = decodeURIComponent(reference)
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    return valueAt(root, path) === undefined;
  } catch {
    return true;
  }
}
