import { type Channel, hasButtons, isChannel } from '../../domain/channel.js';
import type { Clock } from '../../domain/clock.js';
import { tryParseDuration } from '../../domain/duration.js';
import { type Observer, silentObserver } from '../../domain/observability/observer.js';
import type { Redactor } from '../../domain/redact.js';
import type { ServerImport, Tool } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import { builtinOf } from './builtin-tools.js';
import type { ToolCallContext, ToolResult } from './caller.js';
import { allowsAnything, checkInput, schemaOf } from './check-input.js';
import type {
  ConnectorAnswer,
  ConnectorCall,
  ConnectorServices,
  ListDeliveriesForCall,
  ListRunsForCall,
  ListSpendForCall,
  PublishFromCall,
} from './connector.js';
import { outcomeOfError, verdictOf } from './call-outcome.js';
import { channelOf } from './channels/channel-tools.js';
import { sendByChannel } from './channels/send.js';
import { openTelegramBot, type TelegramBot } from './channels/telegram-bot.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { startDeadline } from './deadline.js';
import { createEgressGuard, type EgressGuard } from './egress-guard.js';
import { callHttpTool } from './http-tool.js';
import { LlmCaller } from './llm-tool.js';
import { type DiscoveredTool, McpCaller } from './mcp-tool.js';
import { joinParts, splitInput } from './long-text.js';
import type { SecretSource } from './secrets.js';

/** Longest time to list the tools of a server, milliseconds. */
/** The address of what is fetched as it is. */
const DOCUMENT = 'import.document';
const DISCOVER_TIMEOUT_MS = 30_000;

export interface ToolCallerOptions {
  clock: Clock;
  secrets: Pick<SecretSource, 'resolve'>;
  /** Everything an error says passes through it. */
  redactor: Redactor;
  /** Version of this program, for the User-Agent header. */
  version?: string;
  /** For tests: another guard than the default one. */
  guard?: EgressGuard;
  /** The channels of the configuration, by name. */
  channels?: Readonly<Record<string, Channel>>;
  /** Hears of every call to the outside. */
  observer?: Observer;
  /** What `event.publish` is made of. */
  publish?: PublishFromCall;
  /** What `run.list` is made of. */
  listRuns?: ListRunsForCall;
  listSpend?: ListSpendForCall;
  listDeliveries?: ListDeliveriesForCall;
}

/** Calls tools of every kind; one per process, so that connections and child processes are shared. */
export interface ToolCallers {
  /**
   * Calls a tool: checks the input, makes the call within its time, checks the output.
   * @throws ToolError, redacted; nothing else for whatever a tool or its server does.
   */
  call(tool: Tool, input: unknown, context: ToolCallContext): Promise<ToolResult>;
  /** Lists the tools of an MCP server. Throws ToolError. */
  discover(server: ServerImport, signal?: AbortSignal): Promise<DiscoveredTool[]>;
  /** Gets a document over HTTP, for imports. Throws ToolError. */
  fetchText(url: string, grants: readonly string[], headers: Record<string, string>): Promise<string>;
  /**
   * The bot of a Telegram channel whose questions have buttons; null when there is no such channel.
   * @param agent on whose behalf. Throws ToolError, as do its calls.
   */
  openBot(channel: string, agent: string): Promise<TelegramBot | null>;
  /** Ends connections and child processes. */
  close(): Promise<void>;
}

/** Creates the callers; connectors load what they need with their first call. */
export function createToolCallers(options: ToolCallerOptions): ToolCallers {
  const services: ConnectorServices = {
    clock: options.clock,
    secrets: options.secrets,
    guard: options.guard ?? createEgressGuard(),
    userAgent: `pao/${options.version ?? '0'}`,
    publish: options.publish,
    listRuns: options.listRuns,
    listSpend: options.listSpend,
    listDeliveries: options.listDeliveries,
  };
  const llm = new LlmCaller(services);
  const mcp = new McpCaller(services);
  const { redactor, clock, observer = silentObserver, channels = {} } = options;
  const circuits = new CircuitBreaker(() => clock.monotonic(), observer);

  const connect = (call: ConnectorCall): Promise<ConnectorAnswer> => {
    switch (call.tool.kind) {
      case 'http':
        return callHttpTool(services, call);
      case 'llm':
        return llm.call(call);
      case 'mcp':
        return mcp.call(call);
      case 'builtin': {
        const channel = channelOf(call.tool.address, channels);
        if (channel !== undefined) return sendByChannel(services, call, channel);
        const builtin = builtinOf(call.tool);
        return builtin.immediate ? Promise.resolve(builtin.run(services, call)) : builtin.run(services, call);
      }
    }
  };

  const callOnce = async (tool: Tool, input: unknown, context: ToolCallContext): Promise<ConnectorAnswer> => {
    if (tool.kind === 'http' || tool.kind === 'mcp') await context.budget?.count(tool.address);
    const own = tool.timeout === undefined ? null : tryParseDuration(tool.timeout);
    const deadline = startDeadline(
      context.signal,
      Math.min(own ?? Number.POSITIVE_INFINITY, context.timeoutMs),
      () => clock.monotonic(),
    );
    try {
      if (deadline.signal.aborted) throw deadline.error(false);
      return await connect({ tool, input, context, deadline });
    } finally {
      deadline.end();
    }
  };

  /** A call that leaves the process: cut off when the other side keeps failing, and counted. */
  const callOutside = async (
    tool: Tool,
    input: unknown,
    context: ToolCallContext,
  ): Promise<ConnectorAnswer> => {
    // Documents and pings of all places share a name: that one is dead says nothing of the others.
    const breaker = tool.address === DOCUMENT ? null : circuits;
    const labels = { tool: tool.address, protocol: tool.kind === 'builtin' ? 'http' : tool.kind };
    const began = clock.monotonic();
    let entered = false;
    try {
      breaker?.enter(tool.address);
      entered = true;
      const answer = await callAll(tool, input, context);
      checkOutput(tool, answer);
      breaker?.leave(tool.address, 'worked');
      observer.add('external_tool_calls_total', { ...labels, outcome: 'ok' });
      observer.observe('external_tool_duration_seconds', labels, (clock.monotonic() - began) / 1000);
      return answer;
    } catch (error) {
      const known = error instanceof ToolError ? error : null;
      const outcome = known === null ? 'tool_error' : outcomeOfError(known);
      const egress = known?.details?.['egress'];
      if (typeof egress === 'string') observer.add('egress_blocked_total', { reason: egress });
      if (outcome !== null) observer.add('external_tool_calls_total', { ...labels, outcome });
      if (entered) {
        breaker?.leave(tool.address, verdictOf(outcome));
        if (outcome !== null)
          observer.observe('external_tool_duration_seconds', labels, (clock.monotonic() - began) / 1000);
      }
      throw error;
    }
  };

  const callAll = async (tool: Tool, input: unknown, context: ToolCallContext): Promise<ConnectorAnswer> => {
    const parts = tool.max_text === undefined ? [input] : splitInput(tool.max_text, input);
    if (parts.length === 1) return callOnce(tool, parts[0], context);
    return joinParts(parts, context, (part, partContext) => callOnce(tool, part, partContext));
  };

  return {
    async call(tool, input, context) {
      const startedAt = clock.monotonic();
      try {
        checkInput(tool, input);
        if (context.signal.aborted) throw new ToolError('canceled', 'The call was canceled.');
        const builtin = tool.kind === 'builtin' && !isChannel(tool.address) ? builtinOf(tool) : null;
        const isInside = builtin !== null && (builtin.immediate || builtin.inside === true);
        const answer = builtin?.immediate
          ? builtin.run(services, { tool, input, context })
          : await (isInside ? callOnce : callOutside)(tool, input, context);
        if (isInside) checkOutput(tool, answer);
        return {
          output: answer.output,
          durationMs: clock.monotonic() - startedAt,
          ...(answer.usage === undefined ? {} : { usage: answer.usage }),
          ...(answer.requestId === undefined ? {} : { requestId: answer.requestId }),
          ...(answer.status === undefined ? {} : { status: answer.status }),
        };
      } catch (error) {
        throw redacted(error, redactor, observer, tool);
      }
    },
    async discover(server, signal = new AbortController().signal) {
      const deadline = startDeadline(signal, DISCOVER_TIMEOUT_MS, () => clock.monotonic());
      try {
        return await mcp.discover(server, deadline);
      } catch (error) {
        throw redacted(error, redactor, observer);
      } finally {
        deadline.end();
      }
    },
    async fetchText(url, grants, headers) {
      const tool: Tool = {
        address: DOCUMENT,
        kind: 'http',
        side_effect: 'read',
        input_schema: {},
        grants: [...grants],
        http: {
          method: 'GET',
          url: url.replaceAll('${', '$${'),
          headers,
          max_redirects: 3,
          response: { type: 'text' },
        },
      };
      const result = await this.call(
        tool,
        {},
        { signal: new AbortController().signal, timeoutMs: DISCOVER_TIMEOUT_MS },
      );
      return (result.output as { text?: string } | null)?.text ?? '';
    },
    async openBot(name, agent) {
      const channel = Object.hasOwn(channels, name) ? channels[name] : undefined;
      if (channel === undefined || !hasButtons(channel)) return null;
      try {
        const { token, ...bot } = await openTelegramBot(services, name, channel, agent);
        // It may be written out in the configuration, where nobody looked for secrets.
        redactor.register(token);
        const call: TelegramBot['call'] = (method, parameters, how) =>
          bot.call(method, parameters, how).catch((error: unknown) => {
            throw redacted(error, redactor, observer);
          });
        return { ...bot, call };
      } catch (error) {
        throw redacted(error, redactor, observer);
      }
    },
    async close() {
      circuits.close();
      await Promise.all([mcp.close(), services.guard.close()]);
    },
  };
}

function checkOutput(tool: Tool, answer: ConnectorAnswer): void {
  if (tool.output_schema === undefined || allowsAnything(tool.output_schema)) return;
  const [first, ...more] = schemaOf(tool, tool.output_schema, 'output').check(answer.output);
  if (!first) return;
  const rest = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw new ToolError(
    'invalid_output',
    `${tool.address} answered with something its schema does not allow at ${first.pointer || '/'}: ${first.message}${rest}`,
    {
      pointer: first.pointer,
      ...(answer.usage === undefined ? {} : { usage: answer.usage }),
    },
  );
}

/** The error as a ToolError without secrets; what no connector foresaw is a fault of the tool, never silence. */
function redacted(error: unknown, redactor: Redactor, observer: Observer, tool?: Tool): ToolError {
  const known =
    error instanceof ToolError
      ? error
      : new ToolError(
          'tool_error',
          `${tool?.address ?? 'The call'} failed: ${error instanceof Error ? error.message : String(error)}`,
          {
            retryable: false,
            outcomeKnown: false,
            cause: error,
          },
        );
  const { retryable, retryAfterMs, outcomeKnown, pointer, details, usage } = known;
  const clean = new ToolError(known.kind, redactor.redactText(known.message), {
    retryable,
    outcomeKnown,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(pointer === undefined ? {} : { pointer: redactor.redactText(pointer) }),
    ...(details === undefined ? {} : { details: redactor.redact(details) }),
    ...(usage === undefined ? {} : { usage }),
  });
  if (clean.message !== known.message || clean.details !== details)
    observer.add('secret_redactions_total', { sink: 'error' });
  // The stack of the original says where it happened; its first line is the message, which may hold a secret.
  clean.stack = redactor.redactText(known.stack ?? clean.message);
  return clean;
}
