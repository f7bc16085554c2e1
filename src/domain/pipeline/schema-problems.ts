import type { ErrorObject } from 'ajv';
import { cut, type Problem } from '../errors.js';
import { nearest } from '../nearest.js';

const TYPES: Record<string, string> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'a whole number',
  null: 'null',
  number: 'a number',
  object: 'an object',
  string: 'a text',
};

/** What a validator found, in words; each problem points to the value at fault. */
export function problemsFromSchema(errors: readonly ErrorObject[]): Problem[] {
  const found = new Map<string, Problem>();
  for (const error of errors) {
    // Said by the errors of the branch that was taken.
    if (error.keyword === 'if' && errors.length > 1) continue;
    const problem = fromError(error);
    found.set(`${problem.pointer}\n${problem.message}`, problem);
  }
  return [...found.values()];
}

function fromError(error: ErrorObject): Problem {
  const pointer = error.instancePath;
  const params = error.params as Record<string, unknown>;
  const schema = error.parentSchema as Record<string, unknown> | undefined;
  switch (error.keyword) {
    case 'required':
      return { pointer: `${pointer}/${escape(String(params['missingProperty']))}`, message: 'is required' };
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const key = String(params['additionalProperty'] ?? params['unevaluatedProperty']);
      const known = Object.keys((schema?.['properties'] as Record<string, unknown> | undefined) ?? {});
      const near = nearest(key, known);
      return {
        pointer: `${pointer}/${escape(key)}`,
        message: `unknown key "${cut(key, 60)}"`,
        hint:
          near !== null
            ? `Did you mean "${near}"?`
            : known.length > 0
              ? `Known: ${known.slice(0, 30).join(', ')}`
              : 'Remove it',
      };
    }
    case 'type': {
      const wanted = [params['type']].flat().map((type) => TYPES[String(type)] ?? String(type));
      return { pointer, message: `must be ${wanted.join(' or ')}, not ${describe(error.data)}` };
    }
    case 'enum': {
      const values = (params['allowedValues'] as unknown[]).map((value) => JSON.stringify(value));
      const near = typeof error.data === 'string' ? nearest(JSON.stringify(error.data), values) : null;
      const hint = near === null ? {} : { hint: `Did you mean ${near}?` };
      return {
        pointer,
        message: `must be one of ${values.slice(0, 20).join(', ')}${values.length > 20 ? ', …' : ''}, not ${describe(error.data)}`,
        ...hint,
      };
    }
    case 'const':
      return { pointer, message: `must be ${cut(JSON.stringify(params['allowedValue']) ?? '', 100)}` };
    case 'format':
      return {
        pointer,
        message: `must be written as ${String(params['format'])}, not ${describe(error.data)}`,
      };
    case 'pattern':
      return { pointer, message: `must match ${cut(String(params['pattern']), 100)}` };
    case 'false schema':
      return { pointer, message: 'is not allowed' };
    default:
      return { pointer, message: cut(error.message ?? `breaks the rule "${error.keyword}"`, 200) };
  }
}

function escape(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return cut(JSON.stringify(value) ?? String(value), 60);
}
