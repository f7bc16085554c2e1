import type { Tool } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import type { ToolCallContext } from './caller.js';
import type { ConnectorAnswer } from './connector.js';

type MaxText = NonNullable<Tool['max_text']>;

/**
 * Applies a tool's `max_text`: the inputs to call with, one unless the text has to be split. An input without that text
 * is left as it is.
 */
export function splitInput(setting: MaxText, input: unknown): unknown[] {
  const path = setting.field
    .slice(1)
    .split('/')
    .map((segment) => segment.replace(/~1/g, '/').replace(/~0/g, '~'));
  const text = path.reduce<unknown>(
    (value, key) =>
      value !== null && typeof value === 'object' && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined,
    input,
  );
  if (typeof text !== 'string' || text.length <= setting.limit) return [input];
  const texts =
    setting.mode === 'split' ? splitText(text, setting.limit) : [truncateText(text, setting.limit)];
  return texts.map((part) => replaced(input, path, part));
}

function replaced(value: unknown, path: readonly string[], text: string): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return text;
  const inner = (value as Record<string, unknown>)[key];
  if (Array.isArray(value))
    return value.map((item, index) => (String(index) === key ? replaced(inner, rest, text) : item));
  return { ...(value as Record<string, unknown>), [key]: replaced(inner, rest, text) };
}

/** Cuts a text to at most `limit` UTF-16 units, the last one an ellipsis, never through the middle of a character. */
export function truncateText(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, safeEnd(text, limit - 1))}…`;
}

/** Splits a text into parts of at most `limit` UTF-16 units, between paragraphs, lines or words where that is possible. */
export function splitText(text: string, limit: number): string[] {
  const parts: string[] = [];
  let rest = text;
  while (rest.length > limit) {
    const window = rest.slice(0, limit + 1);
    // A break in the first half would make parts too small to be worth it.
    const at = ['\n\n', '\n', ' '].map((mark) => window.lastIndexOf(mark)).find((index) => index > limit / 2);
    const end = at ?? safeEnd(rest, limit);
    parts.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  if (rest !== '') parts.push(rest);
  return parts.filter((part) => part !== '');
}

/** Moves a cut off the middle of a surrogate pair. */
function safeEnd(text: string, end: number): number {
  const code = text.charCodeAt(end - 1);
  return code >= 0xd800 && code <= 0xdbff ? end - 1 : end;
}

/**
 * Makes the calls for all parts in order; the answer is that of the last one.
 * @throws ToolError; once a part is delivered it is not retryable, since a retry would deliver that part again.
 */
export async function joinParts(
  parts: unknown[],
  context: ToolCallContext,
  call: (part: unknown, context: ToolCallContext) => Promise<ConnectorAnswer>,
): Promise<ConnectorAnswer> {
  let answer: ConnectorAnswer | undefined;
  for (const [index, part] of parts.entries()) {
    const key = context.idempotencyKey;
    const partContext = {
      ...context,
      ...(key === undefined || index === 0 ? {} : { idempotencyKey: `${key}#${index + 1}` }),
      // It is answered below its end.
      question: index === parts.length - 1 ? context.question : undefined,
    };
    try {
      answer = await call(part, partContext);
    } catch (error) {
      if (index === 0 || !(error instanceof ToolError)) throw error;
      throw new ToolError(
        error.kind,
        `Part ${index + 1} of ${parts.length} was not delivered (the ${index === 1 ? 'first part was' : `first ${index} parts were`}): ${error.message}`,
        {
          retryable: false,
          outcomeKnown: error.outcomeKnown,
          details: { ...error.details, parts: parts.length, parts_delivered: index },
        },
      );
    }
  }
  if (!answer) throw new ToolError('invalid_input', 'There is no text to send.');
  return answer;
}
