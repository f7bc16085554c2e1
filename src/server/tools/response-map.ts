import { evaluateExpression as evaluate } from '../../domain/pipeline/template.js';
import { TemplateError } from '../../domain/pipeline/template-error.js';
import { ToolError } from '../../domain/tool-error.js';

/** What a response mapping looks at. */
export interface MappedResponse {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: unknown;
}

/**
 * Shapes an HTTP answer into the output of a tool by a JMESPath expression over `{status, headers, body}`.
 * What is missing is null, as in JMESPath; the output schema decides whether that will do.
 * @throws ToolError `config_error` when the expression is wrong, `invalid_output` when it cannot be applied.
 */
export function mapResponse(expression: string, response: MappedResponse, zone: string): unknown {
  try {
    return evaluate(expression, { ...response }, { zone, lenient: true });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    if (error.kind === 'syntax' || error.kind === 'secret') {
      throw new ToolError('config_error', `The response mapping is wrong: ${error.message}`, {
        cause: error,
      });
    }
    throw new ToolError('invalid_output', `The response mapping cannot be applied: ${error.message}`, {
      cause: error,
    });
  }
}

/**
 * Evaluates an expression that a pipeline gave over data it gave.
 * @throws ToolError `invalid_input` with a pointer to the expression or the data.
 */
export function evaluateExpression(expression: string, data: unknown, zone: string): unknown {
  try {
    return evaluate(expression, data as Record<string, unknown>, { zone, lenient: true });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new ToolError('invalid_input', error.message, {
      pointer: error.kind === 'syntax' || error.kind === 'secret' ? '/expression' : '/data',
      cause: error,
    });
  }
}
