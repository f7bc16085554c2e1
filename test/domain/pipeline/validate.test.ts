import { describe, expect, it } from 'vitest';
import {
  type PipelineContext,
  pipelineSchema,
  validatePipeline,
} from '../../../src/domain/pipeline/index.js';

const tools: Record<string, unknown> = {
  'calendar.list_events': {
    type: 'object',
    properties: { start: { type: 'string' }, end: { type: 'string' }, max: { type: 'integer', maximum: 50 } },
    required: ['start', 'end'],
    additionalProperties: false,
  },
  'mail.top_unread': {
    type: 'object',
    properties: { count: { type: 'integer' } },
    required: ['count'],
    additionalProperties: false,
  },
  'llm.chat': { type: 'object' },
  'telegram.send_message': {
    type: 'object',
    properties: {
      chat_id: { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^@' }] },
      text: { type: 'string', maxLength: 10 },
    },
    required: ['chat_id', 'text'],
  },
};
const context: PipelineContext = {
  findTool: (address) => (Object.hasOwn(tools, address) ? { input_schema: tools[address] } : null),
  toolAddresses: () => Object.keys(tools),
  mayUse: (address) => address !== 'forbidden.tool',
  params: { lat: 1, chat_id: 5, deep: { a: 1 } },
  zone: 'Europe/Chisinau',
};
const check = (steps: unknown[], over: Partial<PipelineContext> = {}) =>
  validatePipeline(pipelineSchema.parse(steps), { ...context, ...over });
const cal = {
  id: 'cal',
  uses: 'calendar.list_events',
  with: { start: '${run.day_start}', end: '${run.day_end}' },
  save_as: 'events',
};

describe('a pipeline', () => {
  it('of the morning briefing has no problem', () => {
    expect(
      check([
        cal,
        { id: 'mail', uses: 'mail.top_unread', with: { count: 5 }, save_as: 'inbox', on_error: 'continue' },
        {
          id: 'plan',
          uses: 'llm.chat',
          if: 'length(steps.events.items || `[]`) > `0` || steps.inbox.total_unread > `0`',
          with: { system: 'Plan.', data: { events: '${steps.events.items}', w: '${steps.inbox.daily?}' } },
          save_as: 'brief',
          on_error: { fallback: { text: '${length(steps.events.items)} events.' } },
        },
        {
          id: 'ping',
          uses: 'telegram.send_message',
          with: { chat_id: '${params.chat_id}', text: '${steps.brief.text}' },
          idempotency_key: 'briefing/${run.local_date}',
        },
      ]),
    ).toEqual([]);
  });

  it('is told all its problems at once', () => {
    const problems = check(
      [
        { id: 'a', uses: 'calender.list_events' },
        { id: 'a', uses: 'mail.top_unread', with: { count: 'five', cuont: 1 } },
        {
          id: 'c',
          if: 'steps.d.ok',
          uses: 'llm.chat',
          with: { x: '${steps.evens}', y: '${params.lon}', z: '${a b}' },
          idempotency_key: '${secrets.KEY}',
        },
        { id: 'd', uses: 'forbidden.tool', on_error: { fallback: '${oops(1)}' } },
      ],
      {
        findTool: (address) =>
          address === 'forbidden.tool' ? { input_schema: {} } : context.findTool(address),
      },
    );
    expect(problems.map((problem) => problem.pointer).sort()).toEqual([
      '/pipeline/0/uses',
      '/pipeline/1/id',
      '/pipeline/1/with/count',
      '/pipeline/1/with/cuont',
      '/pipeline/2/idempotency_key',
      '/pipeline/2/if',
      '/pipeline/2/with/x',
      '/pipeline/2/with/y',
      '/pipeline/2/with/z',
      '/pipeline/3/on_error/fallback',
      '/pipeline/3/uses',
    ]);
    const hintAt = (pointer: string) => problems.find((problem) => problem.pointer === pointer)?.hint;
    expect(hintAt('/pipeline/0/uses')).toBe('Did you mean "calendar.list_events"?');
    expect(hintAt('/pipeline/1/with/cuont')).toBe('Did you mean "count"?');
    expect(hintAt('/pipeline/2/if')).toBe('Move step "d" before this one');
    expect(hintAt('/pipeline/3/uses')).toContain('tool:forbidden.tool');
  });

  it.each([
    ['${stepz.x}', '"stepz" does not exist', 'Did you mean steps?'],
    ['${events.items}', '"events" does not exist', 'Did you mean steps.events?'],
    ['${chat_id}', '"chat_id" does not exist', 'Did you mean params.chat_id?'],
    ['${item.id}', '"item" does not exist', 'An item exists only'],
    ['${run.daystart}', 'run.daystart does not exist', 'Did you mean run.day_start?'],
    ['${steps.event.x}', 'there is no step "event"', 'Did you mean steps.events?'],
    ['${steps.x}', 'output of this step itself', 'before it'],
    ['${params.deep.b}', 'params.deep.b is missing', undefined],
    ['${steps.evnts[*].id}', 'there is no step "evnts"', 'Did you mean steps.events?'],
    ['${length(params.lot)}', 'params.lot is missing', 'Did you mean params.lat?'],
    ['${steps.events.items[?id == $.params.nix]}', 'params.nix is missing', undefined],
    ['${hash(secrets.A)}', 'must stand alone', undefined],
  ])('with %s is told so', (text, message, hint) => {
    const problems = check([cal, { id: 'x', uses: 'llm.chat', with: { a: text } }]);
    expect(problems.map((problem) => problem.message)).toEqual([expect.stringContaining(message)]);
    expect(problems[0]?.pointer).toBe('/pipeline/1/with/a');
    if (hint !== undefined) expect(problems[0]?.hint).toContain(hint);
  });

  it.each([
    '${params.lon?}',
    '${params.lon || `5`}',
    '${default(params.lon, `5`)}',
    '${steps.cal.items}',
    '${event.payload.any}',
    '${secrets.TOKEN}',
    '${steps.events.items[?a.b].c}',
    '${now}',
  ])('may say %s', (text) => {
    expect(check([cal, { id: 'x', uses: 'llm.chat', with: { a: text } }])).toEqual([]);
  });

  it('checks literals of the input, and leaves the spots of templates alone', () => {
    const ping = (input: unknown) =>
      check([{ id: 'x', uses: 'telegram.send_message', with: input }]).map(
        (problem) => `${problem.pointer.slice(16)} ${problem.message}`,
      );
    expect(ping({ chat_id: '${params.chat_id}', text: 'at least 11 long ${params.lat}' })).toEqual([]);
    expect(ping({ chat_id: 5, text: 7 })).toEqual(['/text must be a text, not 7']);
    expect(ping({ chat_id: 5, text: 'longer than ten' })).toEqual([
      '/text must NOT have more than 10 characters',
    ]);
    expect(ping({ text: '${params.lat}' })).toEqual(['/chat_id is required']);
    const count = (value: unknown) =>
      check([{ id: 'x', uses: 'mail.top_unread', with: { count: value } }]).map((problem) => problem.message);
    expect(count('${params.lat}')).toEqual([]);
    expect(count('n${params.lat}')).toEqual(['must be a whole number, not "n${params.lat}"']);
    expect(count('$${x}')).toHaveLength(1);
  });

  it('names required inputs when there is no `with` at all', () => {
    expect(check([{ id: 'x', uses: 'mail.top_unread' }])).toEqual([
      { pointer: '/pipeline/0/with/count', message: 'is required' },
    ]);
  });

  it('lets an item be used in its foreach only, and counts literal items', () => {
    expect(
      check([
        cal,
        {
          id: 'x',
          uses: 'llm.chat',
          foreach: { items: '${steps.events.items}', as: 'e' },
          with: { a: '${e.id}' },
        },
      ]),
    ).toEqual([]);
    const problems = check([
      { id: 'x', uses: 'llm.chat', foreach: { items: '`[1, 2, 3]`', max_items: 2 }, with: { a: '${item}' } },
      { id: 'y', uses: 'llm.chat', foreach: { items: '`5`' } },
    ]);
    expect(problems.map((problem) => problem.message)).toEqual([
      'has 3 items, more than max_items (2)',
      'must give a list',
    ]);
  });

  it('does not let steps side by side see each other, but those after them', () => {
    const side = {
      id: 'p',
      parallel: [
        { id: 'a', uses: 'llm.chat' },
        { id: 'b', uses: 'llm.chat', with: { x: '${steps.a.y}' } },
      ],
    };
    const after = { id: 'c', uses: 'llm.chat', with: { x: '${steps.a.y}', z: '${steps.b.y}' } };
    expect(check([side, after]).map((problem) => problem.pointer)).toEqual(['/pipeline/0/parallel/1/with/x']);
  });

  it('refuses a name that two steps save under', () => {
    const problems = check([
      cal,
      { id: 'events', uses: 'llm.chat' },
      { id: 'z', uses: 'llm.chat', save_as: 'events' },
    ]);
    expect(problems.map((problem) => problem.pointer)).toEqual([
      '/pipeline/0/save_as',
      '/pipeline/2/save_as',
    ]);
  });

  it('checks waits and secrets', () => {
    const problems = check(
      [
        { id: 'w', wait: { until: 'tomorrow' } },
        { id: 'e', wait: { event: 'mail.${params.nix}', timeout: '1h', filter: 'payload.id == params.lat' } },
        { id: 's', uses: 'llm.chat', with: { k: '${secrets.TOKEN}' } },
        { id: 'ap', approve: { message: 'Send ${secrets.TOKEN}?' } },
      ],
      { mayUseSecret: () => false },
    );
    expect(problems.map((problem) => problem.pointer)).toEqual([
      '/pipeline/0/wait/until',
      '/pipeline/1/wait/event',
      '/pipeline/2/with/k',
      '/pipeline/3/approve/message',
    ]);
  });

  it('says so when the schema of a tool can not be used', () => {
    const problems = check([{ id: 'x', uses: 'llm.chat' }], {
      findTool: () => ({ input_schema: { $ref: 'https://example.com/schema' } }),
    });
    expect(problems[0]?.message).toContain('can not be used');
  });
});
