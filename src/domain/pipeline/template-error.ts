import { EXIT, PaoError, type Problem } from '../errors.js';

/** Why a template or condition could not be compiled or rendered. */
export type TemplateErrorKind = 'syntax' | 'missing' | 'type' | 'value' | 'limit' | 'secret';

const CODES: Record<TemplateErrorKind, string> = {
  syntax: 'PAO_TEMPLATE_SYNTAX',
  missing: 'PAO_TEMPLATE_MISSING',
  type: 'PAO_TEMPLATE_TYPE',
  value: 'PAO_TEMPLATE_VALUE',
  limit: 'PAO_TEMPLATE_LIMIT',
  secret: 'PAO_TEMPLATE_SECRET',
};

/** A template or condition that can not be compiled or rendered; repeating it changes nothing. Never holds a secret. */
export class TemplateError extends PaoError {
  constructor(
    readonly kind: TemplateErrorKind,
    message: string,
    /** JSON Pointer, inside the value that was rendered, to the string at fault. */
    readonly pointer: string,
    hint?: string,
  ) {
    const problem: Problem = { pointer, message, ...(hint === undefined ? {} : { hint }) };
    super(CODES[kind], message, {
      exitCode: EXIT.usage,
      status: 422,
      hints: hint === undefined ? [] : [hint],
      problems: [problem],
    });
    this.name = 'TemplateError';
  }
}
