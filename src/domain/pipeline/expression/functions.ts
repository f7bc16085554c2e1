import { nearest } from '../../nearest.js';
import { type Evaluation, ExpressionReference } from './evaluation.js';
import { ExpressionEvaluationError } from './expression-error.js';
import { type JsonType, jsonType } from './json-values.js';

/** What one argument of a function may be; `numbers` and `strings` are lists of only those. */
export type ArgumentType = JsonType | 'any' | 'numbers' | 'strings' | 'expression';

/** A function of the expression language. */
export interface ExpressionFunction {
  /** One entry for each argument: the types it may have. */
  args: readonly (readonly ArgumentType[])[];
  /** How many of `args`, counted from the end, may be left out. */
  optional?: number;
  /** Whether the last of `args` may be repeated. */
  variadic?: boolean;
  /** @returns a JSON value; `undefined` counts as null. */
  run(evaluation: Evaluation, ...args: never[]): unknown;
}

export type FunctionTable = ReadonlyMap<string, ExpressionFunction>;

/**
 * Checks the arguments of a call and makes it.
 * @throws ExpressionEvaluationError for an unknown function, a wrong number or a wrong type of arguments.
 */
export function callFunction(
  table: FunctionTable,
  name: string,
  args: unknown[],
  evaluation: Evaluation,
): unknown {
  const found = table.get(name);
  if (found === undefined) throw unknownFunction(table, name);
  const wrongCount = checkArgumentCount(found, name, args.length);
  if (wrongCount !== null) throw new ExpressionEvaluationError(wrongCount, 'value');
  for (const [index, argument] of args.entries()) {
    const allowed = found.args[Math.min(index, found.args.length - 1)] as readonly ArgumentType[];
    if (!allowed.some((type) => hasType(argument, type, evaluation))) {
      throw new ExpressionEvaluationError(
        `${name}(): argument ${index + 1} must be ${allowed.join(' or ')}, not ${typeName(argument)}`,
        'type',
      );
    }
  }
  // Their types were checked against `args` just now.
  return found.run(evaluation, ...(args as never[]));
}

/** What is wrong with the number of arguments of a call, or null. */
export function checkArgumentCount(found: ExpressionFunction, name: string, given: number): string | null {
  const most = found.args.length;
  const least = most - (found.optional ?? 0);
  if (given >= least && (found.variadic === true || given <= most)) return null;
  const wanted = found.variadic ? `at least ${least}` : least === most ? `${most}` : `${least} to ${most}`;
  return `${name}() takes ${wanted} argument${wanted === '1' || wanted === 'at least 1' ? '' : 's'}, not ${given}`;
}

/** An error that names the functions nearest to `name`. */
export function unknownFunction(table: FunctionTable, name: string): ExpressionEvaluationError {
  const near = nearest(name, table.keys());
  return new ExpressionEvaluationError(
    `there is no function ${name}()`,
    'value',
    near === null ? `Functions: ${[...table.keys()].sort().join(', ')}` : `Did you mean ${near}()?`,
  );
}

function hasType(value: unknown, type: ArgumentType, evaluation: Evaluation): boolean {
  if (value instanceof ExpressionReference) return type === 'expression';
  switch (type) {
    case 'any':
      return true;
    case 'numbers':
    case 'strings': {
      if (!Array.isArray(value)) return false;
      evaluation.budget.spend(value.length);
      const wanted = type === 'numbers' ? 'number' : 'string';
      // biome-ignore lint/suspicious/useValidTypeof: `wanted` is one of two type names
      return value.every((element) => typeof element === wanted);
    }
    default:
      return jsonType(value) === type;
  }
}

function typeName(value: unknown): string {
  return value instanceof ExpressionReference ? 'an expression' : jsonType(value);
}
