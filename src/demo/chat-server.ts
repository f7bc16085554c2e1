import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type Clock, systemClock } from '../domain/clock.js';
import { type ComposedBriefing, composeBriefing } from './briefing-composer.js';
import type { HttpFault } from './faults.js';
import { type DemoReply, type LoopbackServer, startLoopbackServer } from './loopback-server.js';

export const DEMO_MODEL = 'pao-demo-composer';

/** `refuse`: the model declines (HTTP 200); `content`: it says exactly this; `truncate`: it stops in mid-answer. */
export type ChatFault =
  | HttpFault
  | { kind: 'refuse' }
  | { kind: 'truncate' }
  | { kind: 'content'; text: string };

export interface ChatServerOptions {
  port: number;
  clock?: Clock;
}

const contentSchema = z.union([
  z.string(),
  z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
]);
const requestSchema = z.looseObject({
  model: z.string(),
  messages: z.array(z.looseObject({ role: z.string(), content: contentSchema })).min(1),
  stream: z.boolean().optional(),
  max_tokens: z.number().int().positive().optional(),
  max_completion_tokens: z.number().int().positive().optional(),
  response_format: z
    .discriminatedUnion('type', [
      z.looseObject({ type: z.literal('text') }),
      z.looseObject({ type: z.literal('json_object') }),
      z.looseObject({
        type: z.literal('json_schema'),
        json_schema: z.looseObject({ name: z.string(), schema: z.record(z.string(), z.unknown()) }),
      }),
    ])
    .optional(),
});
type ChatRequest = z.infer<typeof requestSchema>;

/**
 * Starts the chat demo server: `POST /v1/chat/completions` as OpenAI-compatible servers have it. There is no language
 * model behind it: fixed rules write a plan from the `<data>` of the prompt, so that the demo needs no account.
 */
export function startChatServer(options: ChatServerOptions): Promise<LoopbackServer<ChatFault>> {
  const clock = options.clock ?? systemClock;
  return startLoopbackServer<ChatFault>({
    name: 'chat',
    port: options.port,
    answer: (request, fault) => {
      if (request.method === 'GET' && request.path === '/v1/models') {
        return {
          status: 200,
          body: { object: 'list', data: [{ id: DEMO_MODEL, object: 'model', owned_by: 'pao' }] },
        };
      }
      if (request.path !== '/v1/chat/completions')
        return refuse(404, 'not_found', `There is no ${request.path} here.`);
      let body: unknown;
      try {
        body = JSON.parse(request.body);
      } catch {
        return refuse(400, 'invalid_json', 'The body is not JSON.');
      }
      const parsed = requestSchema.safeParse(body);
      if (!parsed.success) return refuse(400, 'invalid_request', z.prettifyError(parsed.error));
      if (parsed.data.stream) return refuse(400, 'unsupported', 'The demo model does not stream.');
      return complete(parsed.data, fault, clock);
    },
  });
}

function complete(request: ChatRequest, fault: ChatFault | null, clock: Clock): DemoReply {
  const prompt = request.messages.map((message) => textOf(message.content)).join('\n\n');
  let content = fault?.kind === 'content' ? fault.text : null;
  if (content === null) {
    const written = write(composeBriefing(prompt), request);
    if ('unsupported' in written) return refuse(400, 'unsupported_schema', written.unsupported);
    content = written.content;
  }
  const limit =
    fault?.kind === 'truncate' ? 5 : (request.max_completion_tokens ?? request.max_tokens ?? Infinity);
  const isCut = countTokens(content) > limit;
  if (isCut) content = content.slice(0, limit * 4);
  const refusal = fault?.kind === 'refuse' ? "I can't help with that." : null;
  const promptTokens = countTokens(prompt);
  const completionTokens = countTokens(refusal ?? content);
  return {
    status: 200,
    body: {
      id: `chatcmpl-${randomUUID()}`,
      object: 'chat.completion',
      created: Math.floor(clock.now() / 1000),
      model: request.model,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: refusal === null ? content : null, refusal },
          finish_reason: isCut && refusal === null ? 'length' : 'stop',
        },
      ],
      usage: {
        prompt_tokens: promptTokens,
        completion_tokens: completionTokens,
        total_tokens: promptTokens + completionTokens,
      },
    },
  };
}

const textOf = (content: z.infer<typeof contentSchema>): string =>
  typeof content === 'string' ? content : content.map((part) => part.text ?? '').join('');

/** About four bytes make a token; there is no tokenizer behind the demo. */
const countTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4);

function write(
  { text, mustDos }: ComposedBriefing,
  request: ChatRequest,
): { content: string } | { unsupported: string } {
  const format = request.response_format;
  if (format?.type === 'json_object') return { content: JSON.stringify({ text, must_dos: mustDos }) };
  if (format?.type !== 'json_schema') {
    return {
      content:
        mustDos.length === 0 ? text : `${text}\n\nToday:\n${mustDos.map((item) => `- ${item}`).join('\n')}`,
    };
  }
  return fillSchema(format.json_schema.schema, text, mustDos);
}

/** Puts the text into the first text property and the must-dos into the first list of texts. */
function fillSchema(
  schema: Record<string, unknown>,
  text: string,
  mustDos: string[],
): { content: string } | { unsupported: string } {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Record<string, unknown>>);
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const result: Record<string, unknown> = {};
  const isTextList = (property: Record<string, unknown>): boolean =>
    property.type === 'array' && (property.items as Record<string, unknown> | undefined)?.type === 'string';
  const textProperty = properties.find(([, property]) => property.type === 'string');
  const listProperty = properties.find(([, property]) => isTextList(property));
  if (textProperty) {
    const [name, { maxLength }] = textProperty;
    result[name] = typeof maxLength === 'number' ? text.slice(0, maxLength) : text;
  }
  if (listProperty) {
    const [name, { maxItems }] = listProperty;
    result[name] = typeof maxItems === 'number' ? mustDos.slice(0, maxItems) : mustDos;
  }
  const missing = [...required].filter((name) => !((name as string) in result));
  return missing.length === 0
    ? { content: JSON.stringify(result) }
    : {
        unsupported: `The demo model can fill one text and one list of texts, but not: ${missing.join(', ')}.`,
      };
}

const refuse = (status: number, code: string, message: string): DemoReply => ({
  status,
  body: { error: { message, type: 'invalid_request_error', code } },
});
