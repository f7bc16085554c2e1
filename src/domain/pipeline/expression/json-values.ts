import { ExpressionEvaluationError } from './expression-error.js';

export type JsonType = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object';

/** The JSON type of a value; `undefined` counts as null. */
export function jsonType(value: unknown): JsonType {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  const type = typeof value;
  return type === 'boolean' || type === 'number' || type === 'string' ? type : 'object';
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Empty and null are false, as JMESPath has it; 0 is true. */
export function isTruthy(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) {
    for (const key in value) if (Object.hasOwn(value, key)) return true;
    return false;
  }
  return true;
}

/**
 * Counts what the evaluation of an expression costs: one step for a node visited or a value looked at.
 * Work and not time is bounded, so that the same input always ends in the same way.
 */
export class Budget {
  #left: number;

  constructor(
    /** Most steps before the evaluation is stopped. */
    readonly steps: number,
    /** Most characters a text that is made may have. */
    readonly maxText: number,
  ) {
    this.#left = steps;
  }

  /** @throws ExpressionEvaluationError when the steps are used up. */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) {
      throw new ExpressionEvaluationError(
        `the expression needs more than ${this.steps} steps`,
        'limit',
        'Filter the data earlier, or let the tool return less of it',
      );
    }
  }

  /** @throws ExpressionEvaluationError when a text of this length is not allowed. */
  text(length: number): void {
    this.spend(1 + Math.floor(length / 64));
    if (length > this.maxText) {
      throw new ExpressionEvaluationError(
        `the text would be longer than ${this.maxText} characters`,
        'limit',
      );
    }
  }

  /** Pays for every value inside `value`: a small expression can build a value that is huge when written out. */
  walk(value: unknown): void {
    if (typeof value === 'string') {
      this.spend(1 + Math.floor(value.length / 64));
    } else if (Array.isArray(value)) {
      this.spend(1);
      for (const element of value) this.walk(element);
    } else if (isObject(value)) {
      this.spend(1);
      for (const key of Object.keys(value)) this.walk(value[key]);
    } else {
      this.spend(1);
    }
  }
}

/** Whether two JSON values are equal, whatever the order of keys. */
export function equal(left: unknown, right: unknown, budget: Budget): boolean {
  budget.spend(1);
  if (left === right) return true;
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((element, index) => equal(element, right[index], budget))
    );
  }
  if (isObject(left) && isObject(right)) {
    const keys = Object.keys(left);
    return (
      keys.length === Object.keys(right).length &&
      keys.every((key) => Object.hasOwn(right, key) && equal(left[key], right[key], budget))
    );
  }
  return (left ?? null) === (right ?? null);
}
