import type { Budget } from './json-values.js';
import type { ExpressionNode } from './syntax-tree.js';

/** The evaluation in progress, as functions see it. */
export interface Evaluation {
  readonly budget: Budget;
  /** IANA zone for functions of dates. */
  readonly zone: string;
  /** Evaluates an expression on a value. */
  visit(node: ExpressionNode, value: unknown): unknown;
}

/** A `&expression` handed to a function such as `sort_by`. */
export class ExpressionReference {
  constructor(readonly node: ExpressionNode) {}
}
