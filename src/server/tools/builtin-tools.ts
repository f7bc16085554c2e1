import { type Tool, toolSchema } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from './connector.js';
import { directOperations, directTools } from './channels/direct.js';
import { listDeliveries, listSpend } from './inside-reports.js';
import { insideTools, listRuns, publishEvent } from './inside-tools.js';
import { evaluateExpression } from './response-map.js';
import { postWebhook } from './webhook.js';

type Builtin =
  /** Answers at once: no deadline is started for it, which the throughput of small pipelines depends on. */
  | {
      immediate: true;
      run(services: ConnectorServices, call: Omit<ConnectorCall, 'deadline'>): ConnectorAnswer;
    }
  | {
      immediate: false;
      /** It does not leave the system: it is no call to the outside, to be cut off or counted as one. */
      inside?: boolean;
      run(services: ConnectorServices, call: ConnectorCall): Promise<ConnectorAnswer>;
    };

const operations: Record<string, Builtin> = {
  'debug.echo': { immediate: true, run: (_services, call) => ({ output: call.input }) },
  'time.now': { immediate: true, run: timeNow },
  'data.transform': { immediate: true, run: transform },
  'event.publish': { immediate: false, inside: true, run: publishEvent },
  'run.list': { immediate: false, inside: true, run: listRuns },
  'spend.list': { immediate: false, inside: true, run: listSpend },
  'delivery.list': { immediate: false, inside: true, run: listDeliveries },
  'notify.webhook': { immediate: false, run: notifyWebhook },
  'task.run': { immediate: false, run: runTask },
  ...directOperations,
};

/** The built-in operation a tool stands for. Throws ToolError `config_error` when there is none of that name. */
export function builtinOf(tool: Tool): Builtin {
  const name = tool.builtin?.name ?? tool.address;
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (operation) return operation;
  throw new ToolError(
    'config_error',
    `There is no built-in operation ${name}; there are ${Object.keys(operations).join(', ')}.`,
  );
}

/** The tools that every installation has. */
export const builtinTools: Tool[] = [
  toolSchema.parse({
    address: 'debug.echo',
    title: 'Echo',
    description: 'Gives back its input, whatever it is.',
    kind: 'builtin',
    side_effect: 'read',
    input_schema: {},
  }),
  toolSchema.parse({
    address: 'time.now',
    title: 'The time now',
    description:
      "The current time in UTC and in the task's zone. Prefer ${run.scheduled_for} where a replay must give the same.",
    kind: 'builtin',
    side_effect: 'read',
    input_schema: {
      type: 'object',
      additionalProperties: false,
      properties: { timezone: { type: 'string', description: "IANA name; the task's zone when left out" } },
    },
    output_schema: {
      type: 'object',
      required: ['utc', 'local', 'date', 'time', 'weekday', 'timezone', 'epoch_ms'],
      properties: {
        utc: { type: 'string', description: 'RFC 3339, Z' },
        local: { type: 'string', description: 'RFC 3339 with the offset of the zone' },
        date: { type: 'string' },
        time: { type: 'string' },
        weekday: { type: 'string' },
        timezone: { type: 'string' },
        epoch_ms: { type: 'integer' },
      },
    },
  }),
  toolSchema.parse({
    address: 'data.transform',
    title: 'Transform data',
    description: 'Evaluates a JMESPath expression over data and gives {value}.',
    kind: 'builtin',
    side_effect: 'read',
    input_schema: {
      type: 'object',
      additionalProperties: false,
      required: ['expression', 'data'],
      properties: { expression: { type: 'string', minLength: 1, maxLength: 4096 }, data: {} },
    },
    output_schema: { type: 'object', required: ['value'], properties: { value: {} } },
  }),
  toolSchema.parse({
    address: 'task.run',
    title: 'Run another task',
    description:
      'Starts a run of another task of the same agent and waits for its end, without holding a worker. Gives {run_id, status, reason, output}; output is what its last step gave. It fails when that run does. With wait: false it only starts it.',
    kind: 'builtin',
    side_effect: 'once',
    input_schema: {
      type: 'object',
      additionalProperties: false,
      required: ['task'],
      properties: {
        task: { type: 'string', minLength: 1, maxLength: 200, description: 'Its name or id' },
        params: { type: 'object', description: 'Take the place of params of the same name' },
        wait: { type: 'boolean', default: true, description: 'Wait for its end' },
      },
    },
    output_schema: {
      type: 'object',
      required: ['run_id', 'status'],
      properties: { run_id: { type: 'string' }, status: { type: 'string' }, reason: {}, output: {} },
    },
  }),
  ...insideTools,
  toolSchema.parse({
    address: 'notify.webhook',
    title: 'Notify a webhook',
    description:
      'Posts JSON to a URL. With a secret the request is signed as Standard Webhooks (https://www.standardwebhooks.com) describe.',
    kind: 'builtin',
    side_effect: 'once',
    input_schema: {
      type: 'object',
      additionalProperties: false,
      required: ['url', 'payload'],
      properties: {
        url: { type: 'string', pattern: '^https?://', maxLength: 2048 },
        payload: { description: 'Any JSON' },
        type: {
          type: 'string',
          maxLength: 200,
          description: 'Event type, added to the signed message as it is',
        },
        secret: {
          type: 'string',
          maxLength: 500,
          description: 'Signing secret, for example ${secrets.HOOK}; whsec_… or plain text',
        },
      },
    },
    output_schema: {
      type: 'object',
      required: ['status', 'message_id'],
      properties: { status: { type: 'integer' }, message_id: { type: 'string' }, body: {} },
    },
  }),
  ...directTools,
];

/** The worker starts the run itself; a call from anywhere else has nothing to wait in. */
async function runTask(): Promise<ConnectorAnswer> {
  throw new ToolError('config_error', 'task.run is a step of a pipeline; pao task run NAME starts a task.');
}

function timeNow(services: ConnectorServices, call: Omit<ConnectorCall, 'deadline'>): ConnectorAnswer {
  const asked = (call.input as { timezone?: string }).timezone;
  const timezone = asked ?? call.context.timezone ?? 'UTC';
  const now = services.clock.now();
  let parts: Map<string, string>;
  try {
    const format = new Intl.DateTimeFormat('en-GB', {
      timeZone: timezone,
      calendar: 'iso8601',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      weekday: 'long',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      timeZoneName: 'longOffset',
    });
    parts = new Map(format.formatToParts(now).map((part) => [part.type, part.value]));
  } catch {
    throw new ToolError(
      'invalid_input',
      `"${timezone.slice(0, 60)}" is not a time zone; write an IANA name such as Europe/Berlin.`,
      {
        pointer: '/timezone',
      },
    );
  }
  const part = (name: string) => parts.get(name) ?? '';
  const date = `${part('year')}-${part('month')}-${part('day')}`;
  const time = `${part('hour')}:${part('minute')}:${part('second')}`;
  const offset = part('timeZoneName').replace(/^(GMT|UTC)/, '') || 'Z';
  return {
    output: {
      utc: `${new Date(now).toISOString().slice(0, 19)}Z`,
      local: `${date}T${time}${offset}`,
      date,
      time,
      weekday: part('weekday'),
      timezone,
      epoch_ms: now,
    },
  };
}

function transform(_services: ConnectorServices, call: Omit<ConnectorCall, 'deadline'>): ConnectorAnswer {
  const { expression, data } = call.input as { expression: string; data: unknown };
  return { output: { value: evaluateExpression(expression, data, call.context.timezone ?? 'UTC') } };
}

function notifyWebhook(services: ConnectorServices, call: ConnectorCall): Promise<ConnectorAnswer> {
  const { url, payload, type, secret } = call.input as {
    url: string;
    payload: unknown;
    type?: string;
    secret?: string;
  };
  const body = JSON.stringify(type === undefined ? payload : { type, data: payload });
  return postWebhook(services, call, { url, secret, body }, call.tool.grants ?? []);
}
