import ajvFormats from 'ajv-formats';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { canonicalJson } from '../json.js';
import { cut, invalidInput, type Problem } from '../errors.js';
import { linearRegExp, MAX_TESTED_TEXT } from './linear-pattern.js';
import { prepareSchema, STEP_KEYWORD } from './prepare-schema.js';
import { problemsFromSchema } from './schema-problems.js';

/** Most subschemas that may be visited while one value is checked. */
const MAX_STEPS = 2_000_000;
const CACHE_SIZE = 500;
/** Most problems told of one value. */
const MAX_PROBLEMS = 100;

/** A schema that is ready to check values. */
export interface SchemaCheck {
  /** What is wrong with a value; empty when nothing is. The value is never changed. */
  check(value: unknown): Problem[];
  /** What the validator found, for callers that sort it out themselves. */
  errors(value: unknown): ErrorObject[];
}

class StepLimitError extends Error {}

let compiled = 0;
let steps = 0;
let ajv: Ajv2020 | undefined;
const byIdentity = new WeakMap<object, SchemaCheck>();
const byText = new Map<string, SchemaCheck>();

/**
 * Compiles a JSON Schema (2020-12; earlier drafts as far as they mean the same). No coercion, no defaults filled in,
 * nothing removed, no reference out of the schema. Patterns run on RE2, in linear time. The last 500 are kept.
 * @throws PaoError PAO_INPUT_INVALID when it is not a schema, or is too large, or has a pattern RE2 does not know.
 */
export function compileSchema(schema: unknown): SchemaCheck {
  const isObject = typeof schema === 'object' && schema !== null;
  const known = isObject ? byIdentity.get(schema) : undefined;
  if (known !== undefined) return known;
  const prepared = prepareSchema(schema);
  const text = canonicalJson(prepared);
  let check = byText.get(text);
  if (check === undefined) {
    check = new CompiledSchema(compile(prepared));
    if (byText.size >= CACHE_SIZE) {
      // Ajv keeps every schema it compiled; a fresh one is the way to let go of the old.
      byText.clear();
      ajv = undefined;
    }
    byText.set(text, check);
  }
  if (isObject) byIdentity.set(schema, check);
  return check;
}

/**
 * Checks a value against a JSON Schema.
 * @returns every problem (at most 100) with a pointer into the value; empty when it fits.
 * @throws PaoError PAO_INPUT_INVALID when the schema itself can not be used.
 */
export function checkSchema(schema: unknown, value: unknown): Problem[] {
  return compileSchema(schema).check(value);
}

class CompiledSchema implements SchemaCheck {
  constructor(private readonly validate: ValidateFunction) {}

  check(value: unknown): Problem[] {
    return problemsFromSchema(this.errors(value)).slice(0, MAX_PROBLEMS);
  }

  errors(value: unknown): ErrorObject[] {
    steps = 0;
    try {
      if (this.validate(value)) return [];
    } catch (error) {
      if (error instanceof StepLimitError || error instanceof RangeError) {
        return [fault('the schema needs too much work to check this value')];
      }
      throw error;
    }
    const errors = this.validate.errors ?? [];
    this.validate.errors = null;
    return errors.slice(0, 1000);
  }
}

function fault(message: string): ErrorObject {
  return { instancePath: '', schemaPath: '#', keyword: STEP_KEYWORD, params: {}, message };
}

function compile(prepared: object | boolean): ValidateFunction {
  ajv ??= newAjv();
  try {
    if (typeof prepared === 'boolean') return ajv.compile(prepared);
    // Without an id of its own Ajv does not find "#", the schema itself.
    compiled += 1;
    return ajv.compile({ ...prepared, $id: `pao:schema:${compiled}` });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Of one spot the first is the plainest: the others say which of several rules it could have kept instead.
    const faults = new Map(
      problemsFromSchema(ajv.errors ?? [])
        .reverse()
        .map((one) => [one.pointer, one]),
    );
    throw invalidInput(
      'The JSON Schema can not be used.',
      faults.size > 0 ? [...faults.values()].reverse() : [{ pointer: '', message: cut(message, 300) }],
    );
  }
}

function newAjv(): Ajv2020 {
  const made = new Ajv2020({
    strict: false,
    allErrors: true,
    verbose: true,
    logger: false,
    validateFormats: true,
    addUsedSchema: false,
    code: { regExp: linearRegExp },
  });
  ajvFormats.default(made, { mode: 'full', keywords: false });
  for (const [name, format] of Object.entries(made.formats)) {
    const test = formatTest(format);
    if (test !== null) made.addFormat(name, (text: string) => text.length <= MAX_TESTED_TEXT && test(text));
  }
  made.addKeyword({
    keyword: STEP_KEYWORD,
    errors: false,
    validate: () => {
      steps += 1;
      if (steps > MAX_STEPS) throw new StepLimitError();
      return true;
    },
  });
  // Ajv compares every pair; a list of 20,000 objects would take minutes.
  made.removeKeyword('uniqueItems');
  made.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    error: { message: 'must not have the same element twice' },
    validate: (wanted: boolean, list: unknown[]) =>
      !wanted || new Set(list.map(canonicalJson)).size === list.length,
  });
  return made;
}

function formatTest(format: unknown): ((text: string) => boolean) | null {
  if (format instanceof RegExp) return (text) => format.test(text);
  if (typeof format === 'function') return (text) => format(text) === true;
  if (typeof format !== 'object' || format === null) return null;
  const { type, validate } = format as { type?: string; validate?: unknown };
  return type === 'number' ? null : formatTest(validate);
}
