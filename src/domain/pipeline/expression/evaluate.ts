import { type Evaluation, ExpressionReference } from './evaluation.js';
import { ExpressionEvaluationError } from './expression-error.js';
import { callFunction, type FunctionTable } from './functions.js';
import { type Budget, equal, isObject, isTruthy } from './json-values.js';
import { findMissing, plainPath } from './plain-path.js';
import type { Comparator, ExpressionNode } from './syntax-tree.js';

/** What an expression is evaluated in. */
export interface EvaluationOptions {
  functions: FunctionTable;
  budget: Budget;
  /** IANA zone for functions of dates. */
  zone: string;
}

/**
 * Evaluates a parsed expression against `root`, over own properties only. A path that leads nowhere is null, as in JMESPath.
 * @throws ExpressionEvaluationError for a wrong type of argument or when the budget is used up.
 */
export function evaluate(node: ExpressionNode, root: unknown, options: EvaluationOptions): unknown {
  return new Interpreter(root, options).visit(node, root);
}

/** Evaluates expressions over one root; functions call back into it for their `&expression` arguments. */
class Interpreter implements Evaluation {
  readonly budget: Budget;
  readonly zone: string;

  constructor(
    private readonly root: unknown,
    private readonly options: EvaluationOptions,
  ) {
    this.budget = options.budget;
    this.zone = options.zone;
  }

  visit(node: ExpressionNode, value: unknown): unknown {
    this.budget.spend(1);
    switch (node.type) {
      case 'field':
        return isObject(value) && Object.hasOwn(value, node.name) ? (value[node.name] ?? null) : null;
      case 'index': {
        if (!Array.isArray(value)) return null;
        return value.at(node.index) ?? null;
      }
      case 'slice':
        return Array.isArray(value) ? this.#slice(value, node) : null;
      case 'literal':
        return node.value;
      case 'current':
        return value ?? null;
      case 'root':
        return this.root ?? null;
      case 'sub':
      case 'pipe': {
        const left = this.visit(node.left, value);
        return left === null && node.type === 'sub' ? null : this.visit(node.right, left);
      }
      case 'or': {
        const left = this.visit(node.left, value);
        return isTruthy(left) ? left : this.visit(node.right, value);
      }
      case 'and': {
        const left = this.visit(node.left, value);
        return isTruthy(left) ? this.visit(node.right, value) : left;
      }
      case 'not':
        return !isTruthy(this.visit(node.child, value));
      case 'compare':
        return this.#compare(node.operator, this.visit(node.left, value), this.visit(node.right, value));
      case 'projection': {
        const left = this.visit(node.left, value);
        return Array.isArray(left) ? this.#project(left, node.right) : null;
      }
      case 'value_projection': {
        const left = this.visit(node.left, value);
        return isObject(left) ? this.#project(Object.values(left), node.right) : null;
      }
      case 'filter': {
        const left = this.visit(node.left, value);
        if (!Array.isArray(left)) return null;
        const kept = left.filter((element) => isTruthy(this.visit(node.condition, element)));
        return this.#project(kept, node.right);
      }
      case 'flatten': {
        const child = this.visit(node.child, value);
        if (!Array.isArray(child)) return null;
        const flat: unknown[] = [];
        for (const element of child) {
          this.budget.spend(Array.isArray(element) ? element.length + 1 : 1);
          if (Array.isArray(element)) for (const inner of element) flat.push(inner);
          else flat.push(element);
        }
        return flat;
      }
      case 'list':
        return value === null || value === undefined
          ? null
          : node.children.map((child) => this.visit(child, value));
      case 'hash': {
        if (value === null || value === undefined) return null;
        const made: Record<string, unknown> = {};
        for (const entry of node.entries) made[entry.key] = this.visit(entry.value, value);
        return made;
      }
      case 'reference':
        return new ExpressionReference(node.child);
      case 'call':
        return this.#call(node, value);
    }
  }

  #call(node: ExpressionNode & { type: 'call' }, value: unknown): unknown {
    const args = node.args.map((argument) => this.visit(argument, value));
    try {
      return callFunction(this.options.functions, node.name, args, this) ?? null;
    } catch (error) {
      // A wrong type is most often a value that is not there; then the path is what helps.
      if (error instanceof ExpressionEvaluationError && error.kind === 'type') {
        for (const [index, argument] of node.args.entries()) {
          const path = args[index] === null ? plainPath(argument) : null;
          const missing = path === null ? null : findMissing(value, path);
          if (missing !== null) {
            throw new ExpressionEvaluationError(
              `${node.name}(): ${missing.message}`,
              'missing',
              missing.hint ?? `Give it a value for that case: ${node.name}(… || \`[]\`)`,
            );
          }
        }
      }
      throw error;
    }
  }

  #project(elements: unknown[], right: ExpressionNode): unknown[] {
    const projected: unknown[] = [];
    for (const element of elements) {
      const value = right.type === 'current' ? element : this.visit(right, element);
      this.budget.spend(1);
      if (value !== null && value !== undefined) projected.push(value);
    }
    return projected;
  }

  #compare(operator: Comparator, left: unknown, right: unknown): unknown {
    if (operator === '==') return equal(left, right, this.budget);
    if (operator === '!=') return !equal(left, right, this.budget);
    const comparable =
      (typeof left === 'number' && typeof right === 'number') ||
      (typeof left === 'string' && typeof right === 'string');
    if (!comparable) return null;
    switch (operator) {
      case '<':
        return left < right;
      case '<=':
        return left <= right;
      case '>':
        return left > right;
      case '>=':
        return left >= right;
    }
  }

  #slice(list: unknown[], node: ExpressionNode & { type: 'slice' }): unknown[] {
    const step = node.step ?? 1;
    const { length } = list;
    const clamp = (index: number): number => {
      const from = index < 0 ? index + length : index;
      if (from < 0) return step < 0 ? -1 : 0;
      return from >= length ? (step < 0 ? length - 1 : length) : from;
    };
    const start = node.start === null ? (step < 0 ? length - 1 : 0) : clamp(node.start);
    const stop = node.stop === null ? (step < 0 ? -1 : length) : clamp(node.stop);
    const taken: unknown[] = [];
    for (let index = start; step > 0 ? index < stop : index > stop; index += step) taken.push(list[index]);
    this.budget.spend(taken.length + 1);
    return taken;
  }
}
