import type { Problem } from '../errors.js';
import { jsonPointer } from '../problems-from-zod.js';
import { isObject } from './expression/json-values.js';
import { compileSchema } from './schema-check.js';
import { problemsFromSchema } from './schema-problems.js';
import { splitTemplate } from './split-template.js';

/** Rules over a whole value, which can not be told before its templates are rendered. */
const WHOLE = new Set([
  'const',
  'contains',
  'enum',
  'uniqueItems',
  'unevaluatedItems',
  'unevaluatedProperties',
]);
/** Rules made of other schemas; when they fail because of a template, so do the schemas inside them. */
const COMBINED = new Set(['allOf', 'anyOf', 'dependentSchemas', 'if', 'not', 'oneOf']);

interface Spots {
  /** Pointers of strings that are one `${…}`: of any type. */
  open: Set<string>;
  /** Pointers of texts with templates in them: their type is known, their content is not. */
  texts: Set<string>;
}

/**
 * Checks what is written out in the input of a call against the input schema of its tool; the spots where templates
 * stand are left to the check before the call.
 * @param input the value of `with`.
 * @param schema the tool's input schema.
 * @throws PaoError PAO_INPUT_INVALID when the schema can not be used.
 */
export function checkLiterals(input: unknown, schema: unknown): Problem[] {
  const spots: Spots = { open: new Set(), texts: new Set() };
  const value = withPlaceholders(input, '', spots);
  const errors = compileSchema(schema).errors(value);
  if (spots.open.size === 0 && spots.texts.size === 0) return problemsFromSchema(errors);
  const all = [...spots.open, ...spots.texts];
  const below = (pointer: string, top: string): boolean => pointer === top || pointer.startsWith(`${top}/`);
  const covers = (pointer: string): boolean => all.some((spot) => below(spot, pointer));
  const undecided = errors
    .filter((error) => COMBINED.has(error.keyword) && covers(error.instancePath))
    .map((error) => error.instancePath);
  const certain = errors.filter((error) => {
    const { instancePath, keyword } = error;
    if (undecided.some((top) => below(instancePath, top))) return false;
    if ([...spots.open].some((spot) => below(instancePath, spot))) return false;
    if (spots.texts.has(instancePath)) return keyword === 'type';
    return !(WHOLE.has(keyword) && covers(instancePath));
  });
  return problemsFromSchema(certain);
}

function withPlaceholders(value: unknown, pointer: string, spots: Spots): unknown {
  if (typeof value === 'string') {
    const kind = templateKind(value);
    if (kind === 'none') return value;
    (kind === 'whole' ? spots.open : spots.texts).add(pointer);
    return kind === 'whole' ? null : value;
  }
  if (Array.isArray(value))
    return value.map((item, index) => withPlaceholders(item, `${pointer}/${index}`, spots));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      withPlaceholders(item, `${pointer}${jsonPointer([key])}`, spots),
    ]),
  );
}

/** Whether a string is one template, has templates in it, or is plain; a template at fault counts as one. */
function templateKind(text: string): 'none' | 'part' | 'whole' {
  if (!text.includes('${')) return 'none';
  try {
    const parts = splitTemplate(text);
    if (!parts.some((part) => part.type === 'expression')) return 'none';
    return parts.length === 1 ? 'whole' : 'part';
  } catch {
    return 'whole';
  }
}
