import type { AnswerName } from './answers/index.js';

/** A path that is no operation: health, streams, what comes from elsewhere. Here for the documents; create-api.ts answers it. */
export interface OtherPath {
  name: string;
  method: 'GET' | 'POST';
  /** Fastify path. */
  path: string;
  summary: string;
  /** Scope needed; null: none, nor a token. */
  scope: string | null;
  /** What else is to be known. */
  description?: string;
  parameters?: readonly { name: string; in: 'query' | 'header'; pattern?: string; description: string }[];
  /** The token may be in the URL. */
  takesQueryToken?: true;
  /** Takes a body of any type. */
  takesBody?: string;
  /** By status: JSON of that form, or the type of a text. */
  answers: Readonly<Record<number, AnswerName | { type: string; description: string }>>;
}

const problemless = 'Answers without a token.';

export const otherPaths: readonly OtherPath[] = [
  {
    name: 'event_stream',
    method: 'GET',
    path: '/v1/events/stream',
    summary: 'What is published, as it is published: server-sent events',
    scope: 'events:read',
    description:
      'Each message has the sequence of its event as id, its topic as event and an Event as data. What is asked for and no longer kept is told by one message pao:gap ({after, oldest}).',
    parameters: [
      { name: 'topic', in: 'query', description: 'A topic, or a pattern such as mail.*' },
      { name: 'after', in: 'query', pattern: '^\\d+$', description: 'Begin after this sequence' },
      {
        name: 'Last-Event-ID',
        in: 'header',
        pattern: '^\\d{1,15}$',
        description: 'The same, as clients send it by themselves; comes before after',
      },
    ],
    answers: { 200: { type: 'text/event-stream', description: 'Goes on until one of both ends it' } },
  },
  {
    name: 'calendar',
    method: 'GET',
    path: '/v1/calendar.ics',
    summary: 'The active tasks that have a time, as a calendar to subscribe to (RFC 5545)',
    scope: 'tasks:read',
    takesQueryToken: true,
    answers: { 200: { type: 'text/calendar', description: 'An iCalendar document' } },
  },
  {
    name: 'hook_receive',
    method: 'POST',
    path: '/hooks/:id',
    summary: 'A delivery from elsewhere becomes an event; its signature lets it in',
    scope: null,
    description:
      'Signed as Standard Webhooks say (webhook-id, webhook-timestamp, webhook-signature) or as GitHub does (X-Hub-Signature-256), as the hook has it. Refused ones are answered with 401, all in the same words.',
    parameters: [
      { name: 'webhook-id', in: 'header', description: 'Standard Webhooks: the delivery' },
      { name: 'webhook-timestamp', in: 'header', description: 'Standard Webhooks: seconds since 1970' },
      { name: 'webhook-signature', in: 'header', description: 'Standard Webhooks: v1,BASE64' },
      { name: 'X-Hub-Signature-256', in: 'header', description: 'GitHub: sha256=HEX' },
      { name: 'X-GitHub-Delivery', in: 'header', description: 'GitHub: the delivery' },
      { name: 'X-GitHub-Event', in: 'header', description: 'GitHub: what happened' },
    ],
    takesBody: 'JSON, or text; 256 KiB at most',
    answers: { 202: 'HookDelivery' },
  },
  {
    name: 'health_live',
    method: 'GET',
    path: '/health/live',
    summary: 'Whether the process answers; touches nothing else',
    scope: null,
    description: problemless,
    answers: { 200: 'Liveness' },
  },
  {
    name: 'health_ready',
    method: 'GET',
    path: '/health/ready',
    summary: 'Whether the database answers',
    scope: null,
    description: problemless,
    answers: { 200: 'Readiness', 503: 'Readiness' },
  },
  {
    name: 'health_report',
    method: 'GET',
    path: '/health',
    summary: 'How each part of the system is; 503 when it is unhealthy',
    scope: null,
    description: problemless,
    answers: { 200: 'Health', 503: 'Health' },
  },
  {
    name: 'metrics',
    method: 'GET',
    path: '/metrics',
    summary: 'The metrics of the whole system',
    scope: 'metrics:read',
    answers: { 200: { type: 'text/plain', description: 'Prometheus text format 0.0.4' } },
  },
];
