import { checkSchema } from '../../domain/pipeline/schema-check.js';
import type { LlmConnector } from '../../domain/tool.js';
import { ToolError, type ToolUsage } from '../../domain/tool-error.js';
import { parseAnswer } from './answer.js';
import {
  blockOf,
  type ConnectorAnswer,
  type ConnectorCall,
  type ConnectorServices,
  resolveSecrets,
} from './connector.js';
import { fillText, parseTemplate, secretsIn } from './connector-template.js';
import { type HttpResponse, sendHttp } from './http-request.js';
import { reasonIn, statusError } from './http-status.js';
import {
  buildMessages,
  type LlmInput,
  modesOf,
  renderRequest,
  repairMessages,
  requestOf,
  wireOf,
} from './llm-request.js';
import type { ChatAnswer, ChatMessage, ChatRequest, StructuredMode } from './llm-wire.js';

/** Calls models; remembers which form of structured output each of them takes. */
export class LlmCaller {
  readonly #services: ConnectorServices;
  readonly #modes = new Map<string, StructuredMode>();

  constructor(services: ConnectorServices) {
    this.#services = services;
  }

  /**
   * Calls a tool of kind `llm`. With a schema the output is the JSON the model gave, checked, after at most one repair
   * attempt; without one it is `{text}`.
   * @throws ToolError, with the tokens used so far in `usage`; `refused`, `truncated`, `invalid_output` besides what HTTP gives.
   */
  async call(call: ConnectorCall): Promise<ConnectorAnswer> {
    const connector = blockOf(call.tool, 'llm');
    const input = call.input as LlmInput;
    const model = chooseModel(connector, input.model);
    const spent = new Spent();
    const messages = buildMessages(input);
    const first = await this.#ask(call, connector, model, messages, spent);
    if (input.schema === undefined) {
      if (first.truncated) throw truncated(spent);
      return answerOf({ text: first.text }, first, spent);
    }
    const found = readStructured(first, input.schema);
    if (found.problem === null) return answerOf(found.value, first, spent);

    const most = requestOf(connector, input, { model, messages, mode: 'prompt' }).maxOutputTokens;
    const repair = repairMessages(messages, first, found.problem, most);
    let second: ChatAnswer;
    try {
      second = await this.#ask(call, connector, model, repair, spent);
    } catch (error) {
      if (!(error instanceof ToolError) || error.kind !== 'budget') throw error;
      throw unusable(`${found.problem} It was not asked again: ${error.message}`, found.pointer, spent);
    }
    const repaired = readStructured(second, input.schema);
    if (repaired.problem === null) return answerOf(repaired.value, second, spent);
    if (second.truncated) throw truncated(spent);
    throw unusable(repaired.problem, repaired.pointer, spent);
  }

  async #ask(
    call: ConnectorCall,
    connector: LlmConnector,
    model: string,
    messages: ChatMessage[],
    spent: Spent,
  ): Promise<ChatAnswer> {
    const input = call.input as LlmInput;
    const key = `${connector.provider} ${connector.base_url} ${model}`;
    let mode = connector.structured ?? this.#modes.get(key) ?? 'json_schema';
    for (;;) {
      const request = requestOf(connector, input, { model, messages, mode });
      try {
        const answer = await this.#send(call, connector, request, spent);
        if (input.schema !== undefined && connector.structured === undefined) this.#modes.set(key, mode);
        return answer;
      } catch (error) {
        const ladder = modesOf(connector);
        const next = ladder[ladder.indexOf(mode) + 1];
        if (input.schema === undefined || next === undefined || !isFormatRefusal(error)) {
          throw error instanceof ToolError ? spent.attach(error) : error;
        }
        mode = next;
      }
    }
  }

  async #send(
    call: ConnectorCall,
    connector: LlmConnector,
    request: ChatRequest,
    spent: Spent,
  ): Promise<ChatAnswer> {
    const wire = wireOf(connector);
    const url = new URL(`${connector.base_url.replace(/\/+$/, '')}/${wire.path}`);
    const { body, inputTokens, outputTokens } = renderRequest(connector, request);
    const headers = await this.#headers(call, connector, wire);
    const estimate: ToolUsage = {
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      estimated: true,
    };
    const settle = await call.context.budget?.reserve({
      tool: call.tool.address,
      model: request.model,
      inputTokens,
      outputTokens,
    });
    /** What was sent counts as well when the provider is silent: a budget must never be undercharged. */
    const settleWith = async (used: ToolUsage | null): Promise<void> => {
      if (used !== NO_USAGE) spent.add(used ?? estimate);
      await settle?.(used);
    };
    let response: HttpResponse;
    try {
      const grants = call.tool.grants ?? [];
      response = await sendHttp(
        this.#services.guard,
        { method: 'POST', url, headers, body, grants },
        call.deadline,
      );
    } catch (error) {
      await settleWith(neverArrived(error) ? NO_USAGE : null);
      throw error;
    }
    if (response.status !== 200) {
      await settleWith(isRefused(response.status) ? NO_USAGE : null);
      const said = parseAnswer(response, 'auto', { lenient: true });
      const error = statusError(call.tool.address, response, said, this.#services.clock.now());
      throw isFormatComplaint(response.status, said)
        ? new ToolError(error.kind, error.message, {
            retryable: false,
            details: { status: response.status, format: true },
          })
        : error;
    }
    let answer: ChatAnswer | undefined;
    try {
      answer = wire.read(parseAnswer(response, 'json'));
    } catch (error) {
      await settleWith(null);
      throw error;
    }
    if (!answer) {
      await settleWith(null);
      throw new ToolError(
        'invalid_output',
        `${url.host} gave an answer that is not one of a ${connector.provider} endpoint.`,
      );
    }
    await settleWith(answer.usage ?? null);
    if (answer.refusal !== undefined) {
      throw new ToolError('refused', `The model refused: ${reasonIn(answer.refusal)}`);
    }
    const requestId = response.headers['x-request-id'] ?? response.headers['request-id'] ?? answer.requestId;
    return { ...answer, ...(requestId === undefined ? {} : { requestId }) };
  }

  async #headers(
    call: ConnectorCall,
    connector: LlmConnector,
    wire: ReturnType<typeof wireOf>,
  ): Promise<Record<string, string>> {
    const own = Object.entries(connector.headers ?? {}).map(
      ([name, value]) => [name, parseTemplate(value)] as const,
    );
    const key = connector.api_key === undefined ? undefined : parseTemplate(connector.api_key);
    const names = [...(key ? secretsIn(key) : []), ...own.flatMap(([, template]) => secretsIn(template))];
    const scope = { input: call.input, secrets: await resolveSecrets(this.#services, call, names), call: {} };
    const { traceparent, tracestate } = call.context;
    return {
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'gzip, deflate, br',
      'user-agent': this.#services.userAgent,
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(tracestate === undefined ? {} : { tracestate }),
      ...wire.headers(key && fillText(key, scope)),
      ...Object.fromEntries(own.map(([name, template]) => [name.toLowerCase(), fillText(template, scope)])),
    };
  }
}

/** Adds up the tokens of all requests of one call. */
class Spent {
  #input = 0;
  #output = 0;
  #estimated = false;
  #any = false;

  add(usage: ToolUsage): void {
    this.#any = true;
    this.#input += usage.input_tokens;
    this.#output += usage.output_tokens;
    this.#estimated ||= usage.estimated === true;
  }

  total(): ToolUsage {
    return {
      input_tokens: this.#input,
      output_tokens: this.#output,
      ...(this.#estimated ? { estimated: true } : {}),
    };
  }

  /** The same error with the tokens used until then. */
  attach(error: ToolError): ToolError {
    if (!this.#any) return error;
    const { retryable, retryAfterMs, outcomeKnown, pointer, details, cause } = error;
    return new ToolError(error.kind, error.message, {
      retryable,
      outcomeKnown,
      usage: this.total(),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(pointer === undefined ? {} : { pointer }),
      ...(details === undefined ? {} : { details }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function chooseModel(connector: LlmConnector, asked: string | undefined): string {
  if (asked === undefined || asked === connector.model || connector.models?.includes(asked)) {
    return asked ?? connector.model;
  }
  const allowed = [connector.model, ...(connector.models ?? [])].join(', ');
  throw new ToolError(
    'invalid_input',
    `Model "${asked.slice(0, 80)}" is not allowed here; allowed: ${allowed}.`,
    {
      pointer: '/model',
    },
  );
}

/** The provider did nothing that it would charge for. */
const NO_USAGE: ToolUsage = { input_tokens: 0, output_tokens: 0 };

/** Nothing was sent, or the other side can not have begun. */
const neverArrived = (error: unknown): boolean =>
  error instanceof ToolError &&
  error.outcomeKnown &&
  error.kind !== 'too_large' &&
  error.kind !== 'invalid_output';

/** Turned away before any model was asked; what fails later (500, 502, 504) may have been charged. */
const isRefused = (status: number): boolean =>
  status < 500 || status === 501 || status === 503 || status === 529;

/** Whether an endpoint said no to the form of structured output, and not to the request as such. */
function isFormatComplaint(status: number, body: unknown): boolean {
  if (status !== 400 && status !== 422 && status !== 501) return false;
  return /response_format|json_schema|json_object|output_config|output_format|structured|schema/i.test(
    typeof body === 'string' ? body : JSON.stringify(body ?? ''),
  );
}

function isFormatRefusal(error: unknown): boolean {
  return error instanceof ToolError && error.details?.['format'] === true;
}

interface Structured {
  value: unknown;
  /** In words for the model and the person; null when the value is good. */
  problem: string | null;
  pointer?: string;
}

function readStructured(answer: ChatAnswer, schema: Record<string, unknown>): Structured {
  let value: unknown;
  try {
    value = JSON.parse(withoutFence(answer.text));
  } catch {
    const problem = answer.truncated ? 'it was cut off before its end.' : 'it is not JSON.';
    return { value: undefined, problem, pointer: '' };
  }
  const problems = checkSchema(schema, value);
  const [first] = problems;
  if (!first) return { value, problem: null };
  const described = problems
    .slice(0, 5)
    .map((one) => `${one.pointer === '' ? '/' : one.pointer} ${one.message}`)
    .join('; ');
  return { value, problem: `${described}.`, pointer: first.pointer };
}

/** Models like to wrap JSON in a Markdown code block even when asked not to. */
function withoutFence(text: string): string {
  const match = /^\s*```[a-z]*\s*\n([\s\S]*?)\n?\s*```\s*$/i.exec(text);
  return (match?.[1] ?? text).trim();
}

function unusable(problem: string, pointer: string | undefined, spent: Spent): ToolError {
  return new ToolError('invalid_output', `The model's answer does not fit the schema: ${problem}`, {
    ...(pointer === undefined ? {} : { pointer }),
    usage: spent.total(),
  });
}

function truncated(spent: Spent): ToolError {
  return new ToolError(
    'truncated',
    'The model stopped at the limit of output tokens; raise max_output_tokens.',
    {
      usage: spent.total(),
    },
  );
}

function answerOf(output: unknown, answer: ChatAnswer, spent: Spent): ConnectorAnswer {
  return {
    output,
    usage: spent.total(),
    status: 200,
    ...(answer.requestId === undefined ? {} : { requestId: answer.requestId }),
  };
}
