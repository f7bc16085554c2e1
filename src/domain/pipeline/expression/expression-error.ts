/** An expression that can not be read; `at` is the offset of the fault in its text. */
export class ExpressionSyntaxError extends Error {
  constructor(
    message: string,
    readonly at: number,
    readonly hint?: string,
  ) {
    super(message);
    this.name = 'ExpressionSyntaxError';
  }
}

/** An expression that can not be evaluated with the values it was given. */
export class ExpressionEvaluationError extends Error {
  constructor(
    message: string,
    readonly kind: 'missing' | 'type' | 'limit' | 'value',
    readonly hint?: string,
  ) {
    super(message);
    this.name = 'ExpressionEvaluationError';
  }
}
