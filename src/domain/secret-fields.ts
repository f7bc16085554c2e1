import { REDACTED } from './redact.js';

/** Fields whose value is meant to be secret. */
export const SECRET_FIELD =
  /(^|[_-])(token|secret|password|passwd|api[_-]?key|authorization|access[_-]?key)$/i;

/** Whether a text only says where a value comes from: `${secrets.NAME}`. */
const isReference = (text: string): boolean => /^\s*\$\{[^}]*\}\s*$/.test(text);

/** The texts of a JSON value that stand in fields for secrets, with where they stand; references are none. */
export function secretTextsIn(value: unknown, pointer = ''): { pointer: string; text: string }[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const at = `${pointer}/${key}`;
    if (typeof item !== 'string') return secretTextsIn(item, at);
    return SECRET_FIELD.test(key) && item !== '' && !isReference(item) ? [{ pointer: at, text: item }] : [];
  });
}

/** A JSON value with `***` in the fields that hold secrets, whatever they look like. */
export function hideSecretFields<T>(value: T): T {
  if (Array.isArray(value)) return value.map(hideSecretFields) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      typeof item === 'string' && SECRET_FIELD.test(key) && !isReference(item)
        ? REDACTED
        : hideSecretFields(item),
    ]),
  ) as T;
}
