import type { LlmConnector } from '../../domain/tool.js';
import type { ToolUsage } from '../../domain/tool-error.js';

/** One message of a conversation with a model. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** How structured output is asked for, strongest first. */
export type StructuredMode = 'json_schema' | 'json_object' | 'prompt';

/** One request to a model, independent of who serves it. */
export interface ChatRequest {
  model: string;
  messages: ChatMessage[];
  maxOutputTokens: number;
  temperature?: number | undefined;
  /** JSON Schema of the wanted answer. */
  schema?: Record<string, unknown> | undefined;
  mode: StructuredMode;
}

/** One answer of a model. */
export interface ChatAnswer {
  text: string;
  /** Set when the model declined; what it said about it. */
  refusal?: string;
  truncated: boolean;
  usage?: ToolUsage;
  requestId?: string;
  model?: string;
}

/** How one provider wants requests and gives answers. */
export interface LlmWire {
  /** Path behind the base URL. */
  path: string;
  headers(apiKey: string | undefined): Record<string, string>;
  body(connector: LlmConnector, request: ChatRequest): Record<string, unknown>;
  /** Undefined when the body is not an answer of this kind. */
  read(body: unknown): ChatAnswer | undefined;
}

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields =>
  value !== null && typeof value === 'object' ? (value as Fields) : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function usage(input: unknown, output: unknown): ToolUsage | undefined {
  if (typeof input !== 'number' || typeof output !== 'number') return undefined;
  return { input_tokens: input, output_tokens: output };
}

/** `POST {base}/chat/completions`: OpenAI, Ollama, LM Studio, vLLM, OpenRouter, Groq, llama.cpp. */
export const openaiWire: LlmWire = {
  path: 'chat/completions',
  headers: (apiKey) => (apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  body(connector, request) {
    const format =
      request.schema === undefined || request.mode === 'prompt'
        ? undefined
        : request.mode === 'json_object'
          ? { type: 'json_object' }
          : {
              type: 'json_schema',
              json_schema: { name: 'answer', strict: isStrict(request.schema), schema: request.schema },
            };
    return {
      model: request.model,
      messages: request.messages,
      [connector.token_field ?? 'max_tokens']: request.maxOutputTokens,
      ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
      ...(format === undefined ? {} : { response_format: format }),
    };
  },
  read(body) {
    const answer = fields(body);
    const choice = fields(list(answer['choices'])[0]);
    const message = fields(choice['message']);
    if (choice['message'] === undefined) return undefined;
    const finish = text(choice['finish_reason']);
    const refusal = text(message['refusal']);
    const counted = fields(answer['usage']);
    const found = usage(counted['prompt_tokens'], counted['completion_tokens']);
    return {
      text: contentText(message['content']),
      ...(refusal || finish === 'content_filter'
        ? { refusal: refusal || 'stopped by a content filter' }
        : {}),
      truncated: finish === 'length',
      ...(found === undefined ? {} : { usage: found }),
      ...identity(answer),
    };
  },
};

/** `POST {base}/messages`: Anthropic. */
export const anthropicWire: LlmWire = {
  path: 'messages',
  headers: (apiKey) => ({
    'anthropic-version': '2023-06-01',
    ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
  }),
  body(_connector, request) {
    const system = request.messages
      .filter((message) => message.role === 'system')
      .map((message) => message.content);
    const format =
      request.schema === undefined || request.mode !== 'json_schema'
        ? undefined
        : { format: { type: 'json_schema', schema: request.schema } };
    return {
      model: request.model,
      ...(system.length === 0 ? {} : { system: system.join('\n\n') }),
      messages: request.messages.filter((message) => message.role !== 'system'),
      max_tokens: request.maxOutputTokens,
      ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
      ...(format === undefined ? {} : { output_config: format }),
    };
  },
  read(body) {
    const answer = fields(body);
    if (!Array.isArray(answer['content'])) return undefined;
    const counted = fields(answer['usage']);
    const cached =
      (Number(counted['cache_creation_input_tokens']) || 0) +
      (Number(counted['cache_read_input_tokens']) || 0);
    const found = usage(counted['input_tokens'], counted['output_tokens']);
    const said = contentText(answer['content']);
    return {
      text: said,
      ...(answer['stop_reason'] === 'refusal' ? { refusal: said || 'no reason given' } : {}),
      truncated:
        answer['stop_reason'] === 'max_tokens' || answer['stop_reason'] === 'model_context_window_exceeded',
      ...(found === undefined ? {} : { usage: { ...found, input_tokens: found.input_tokens + cached } }),
      ...identity(answer),
    };
  },
};

function identity(answer: Fields): { requestId?: string; model?: string } {
  const id = text(answer['id']);
  const model = text(answer['model']);
  return {
    ...(id === undefined ? {} : { requestId: id.slice(0, 200) }),
    ...(model === undefined ? {} : { model }),
  };
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  return list(content)
    .map((part) => (fields(part)['type'] === 'text' ? (text(fields(part)['text']) ?? '') : ''))
    .join('');
}

/** Whether a schema meets the rules of OpenAI's strict mode: closed objects, every property required. */
function isStrict(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isStrict);
  if (schema === null || typeof schema !== 'object') return true;
  const { type, properties, required, additionalProperties } = schema as Fields;
  if (type === 'object' || properties !== undefined) {
    const names = Object.keys(fields(properties));
    if (additionalProperties !== false || names.some((name) => !list(required).includes(name))) return false;
  }
  return Object.values(schema).every(isStrict);
}
