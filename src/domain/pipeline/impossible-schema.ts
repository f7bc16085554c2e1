import type { Problem } from '../errors.js';
import { jsonPointer } from '../problems-from-zod.js';
import { isObject } from './expression/json-values.js';

type Json = Record<string, unknown>;

/** Bounds that leave nothing between them, with the type they speak of. */
const BOUNDS = [
  ['minimum', 'maximum', ['number', 'integer']],
  ['minLength', 'maxLength', ['string']],
  ['minItems', 'maxItems', ['array']],
  ['minProperties', 'maxProperties', ['object']],
] as const;

/**
 * Why no input at all fits the input schema of a tool, as far as that can be seen without solving it: a tool with such a
 * schema could be stored and never be called. An input is always an object.
 * @returns the first contradiction with a pointer into the schema, or null.
 */
export function impossibleInput(schema: unknown): Problem | null {
  const types = isObject(schema) ? typesOf(schema) : null;
  if (types !== null && !types.includes('object'))
    return { pointer: '/type', message: 'must be "object": the input of a tool is always an object' };
  return impossible(schema, []);
}

function impossible(schema: unknown, path: string[]): Problem | null {
  if (schema === false) return { pointer: jsonPointer(path), message: 'no value fits the schema false' };
  if (!isObject(schema)) return null;
  const at = (key: string, message: string): Problem => ({ pointer: jsonPointer([...path, key]), message });
  if (Array.isArray(schema.enum) && schema.enum.length === 0) return at('enum', 'has no value in it');
  const types = typesOf(schema);
  for (const [least, most, of] of BOUNDS) {
    const [low, high] = [schema[least], schema[most]];
    if (typeof low !== 'number' || typeof high !== 'number' || low <= high) continue;
    // A number has no length: only a value of that type alone is ruled out.
    if (types?.every((type) => (of as readonly string[]).includes(type)))
      return at(least, `is larger than ${most}: no value fits`);
  }
  return types === null || types.join() === 'object' ? impossibleProperty(schema, path) : null;
}

function impossibleProperty(schema: Json, path: string[]): Problem | null {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
  const closed =
    schema.additionalProperties === false && Object.keys(schema.patternProperties ?? {}).length === 0;
  for (const [index, name] of required.entries()) {
    if (Object.hasOwn(properties, name)) {
      // A schema without a type lets other values through, but what comes here is an object.
      const inner = impossible(properties[name], [...path, 'properties', name]);
      if (inner !== null) return inner;
    } else if (closed) {
      return {
        pointer: jsonPointer([...path, 'required', index]),
        message: `"${name}" is required, but additionalProperties is false and it is not in properties`,
        hint: `Add "${name}" to properties`,
      };
    }
  }
  return null;
}

function typesOf(schema: Json): string[] | null {
  return schema.type === undefined ? null : [schema.type].flat().map(String);
}
