import { invalidInput, type Problem } from '../../domain/errors.js';
import { JsonSyntaxError, parseJsonStrict } from '../../domain/json.js';

/**
 * The parameters of a run: an object of JSON, and `name=value` pairs over it; a value that is JSON is taken as JSON.
 * @returns undefined when none were given.
 * @throws PaoError exit 2 with what is wrong.
 */
export function readRunParams(
  pairs: readonly string[] = [],
  json?: string | undefined,
): Record<string, unknown> | undefined {
  if (pairs.length === 0 && json === undefined) return undefined;
  const problems: Problem[] = [];
  const entries = pairs.flatMap((pair): [string, unknown][] => {
    const at = pair.indexOf('=');
    if (at > 0) return [[pair.slice(0, at), valueOf(pair.slice(at + 1))]];
    problems.push({ pointer: '', message: `"${pair.slice(0, 60)}" is not name=value` });
    return [];
  });
  if (problems.length > 0) throw invalidInput('--param is not as it must be.', problems, ['--param days=3']);
  return { ...(json === undefined ? {} : objectOf(json)), ...Object.fromEntries(entries) };
}

function valueOf(text: string): unknown {
  try {
    return parseJsonStrict(text);
  } catch {
    return text;
  }
}

function objectOf(json: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJsonStrict(json);
  } catch (error) {
    if (error instanceof JsonSyntaxError)
      throw invalidInput('--params is not JSON.', error.problems, error.hints);
    throw error;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw invalidInput('--params must be a JSON object.', [], [`--params '{"days": 3}'`]);
}
