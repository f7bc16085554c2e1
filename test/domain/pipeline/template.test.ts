import { describe, expect, it } from 'vitest';
import {
  compileTemplate,
  evaluateCondition,
  evaluateExpression,
  renderTemplate,
  runScope,
  TemplateError,
  withItem,
} from '../../../src/domain/pipeline/index.js';

const scope = runScope({
  task: { id: 'tsk_1', name: 'morning-briefing', title: 'Briefing' },
  run: { id: 'run_1', trigger: 'schedule', scheduledFor: Date.parse('2026-11-24T06:30:00Z'), attempt: 2 },
  params: {
    lat: 47.01,
    chat_id: 5,
    nothing: null,
    'chat-id': 7,
    text: '${params.lat}',
    deep: { a: { b: [1, 2] } },
  },
  steps: {
    events: {
      items: [
        { id: 1, n: 'b' },
        { id: 2, n: 'a' },
      ],
    },
  },
  zone: 'Europe/Chisinau',
});
const render = (value: unknown): unknown => renderTemplate(value, scope).value;
const failure = (value: unknown, secret?: (name: string) => string): TemplateError => {
  try {
    renderTemplate(value, scope, secret === undefined ? {} : { secret });
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('rendering', () => {
  it.each([
    ['${params.lat}', 47.01],
    ['${ params.deep }', { a: { b: [1, 2] } }],
    ['${params.nothing}', null],
    ['${steps.events.items[-1].id}', 2],
    ['${params."chat-id"}', 7],
    ['${params.missing?}', null],
    ['${steps.weather.daily?}', null],
    ['${length(steps.weather.items)?}', null],
    ["${{a: params.lat, b: '}'}}", { a: 47.01, b: '}' }],
    ['${steps.events.items[?id > `1`].n | [0]}', 'a'],
    ['${steps.events.items[?id == $.params.deep.a.b[0]].n}', ['b']],
    [
      '${steps.events.items || `[]`}',
      [
        { id: 1, n: 'b' },
        { id: 2, n: 'a' },
      ],
    ],
  ])('keeps the type of a string that is one template: %s', (text, value) => {
    expect(render(text)).toEqual(value);
  });

  it('writes values into a longer text: objects as JSON, null as nothing', () => {
    expect(render('a ${params.deep.a} ${params.lat} ${params.gone?}|')).toBe('a {"b":[1,2]} 47.01 |');
  });

  it('renders inside lists and objects and leaves plain values as the very same object', () => {
    const plain = { a: [1, 'x', { b: null }] };
    expect(render(plain)).toBe(plain);
    expect(render({ a: ['${params.chat_id}', 1], b: true })).toEqual({ a: [5, 1], b: true });
  });

  it('writes $${ as a plain ${ and leaves other dollars alone', () => {
    expect(render('$${params.lat} costs $5 $')).toBe('${params.lat} costs $5 $');
  });

  it('never renders what was rendered', () => {
    expect(render('${params.text}')).toBe('${params.lat}');
    expect(render('<${params.text}>')).toBe('<${params.lat}>');
  });

  it('names the missing path, what is there, and the nearest name', () => {
    const error = failure({ text: ['${steps.event.items}'] });
    expect(error.kind).toBe('missing');
    expect(error.pointer).toBe('/text/0');
    expect(error.message).toContain('steps.event.items is missing: steps has "events"');
    expect(error.hints).toEqual(['Did you mean steps.events.items?']);
    expect(failure('${steps.events.items[7].id}').message).toContain('has 2 elements');
    expect(failure('${params.nothing.x}').message).toContain('params.nothing is null');
    expect(failure('${steps.gone.items[*].id}').message).toContain('steps.gone.items is missing');
  });

  it('names the path when a function gets a value that is not there', () => {
    expect(failure('${length(steps.mail.items)}').message).toContain('steps.mail.items is missing');
    expect(failure('${length(params.lat)}').kind).toBe('type');
  });

  it.each([
    ['${a = 1}', 'character 5', 'Compare with =='],
    ['x ${params.}', 'ends too early', null],
    ['${lenght(params)}', 'no function lenght()', 'Did you mean length()?'],
    ['${sort_by(params, id)}', '"&"', null],
    ['${a', 'no closing', null],
    ['${length()}', 'takes 1 argument', null],
    ['${a?.b}', 'unexpected character "?"', null],
    ['${`[1,`}', 'not JSON', null],
    ['${}', 'empty', null],
  ])('says where %s can not be read', (text, message, hint) => {
    const error = failure(text);
    expect(error.kind).toBe('syntax');
    expect(error.message).toContain(message);
    if (hint !== null) expect(error.hints).toContain(hint);
  });
});

describe('secrets', () => {
  const secret = (name: string): string => `value-of-${name}`;

  it('are resolved when they are rendered, and named', () => {
    const value = { h: 'Bearer ${secrets.TOKEN}', b: '${secrets.A}' };
    expect(renderTemplate(value, scope, { secret })).toEqual({
      value: { h: 'Bearer value-of-TOKEN', b: 'value-of-A' },
      secrets: ['A', 'TOKEN'],
    });
    expect(renderTemplate(value, scope, { redactSecrets: true }).value).toEqual({
      h: 'Bearer ***',
      b: '***',
    });
    expect(compileTemplate(value).secrets).toEqual(['A', 'TOKEN']);
  });

  it('are refused without a resolver, in conditions, and inside any larger expression', () => {
    expect(failure('${secrets.A}').kind).toBe('secret');
    expect(() => evaluateCondition('secrets.A', {})).toThrow(/in `with` only/);
    for (const text of [
      '${hash(secrets.A)}',
      '${secrets}',
      '${@.secrets.A}',
      '${$.secrets.A}',
      '${{a: secrets.A}}',
      "${join('', [secrets.A])}",
      '${secrets.A?}',
    ]) {
      expect(failure(text, secret).message).toMatch(/must stand alone/);
    }
  });

  it('are not text that is rendered again', () => {
    expect(renderTemplate('${secrets.A}', scope, { secret: () => '${params.lat}' }).value).toBe(
      '${params.lat}',
    );
  });
});

describe('conditions', () => {
  it('take a bare expression and one in ${…}, and count what is missing as false', () => {
    expect(
      evaluateCondition(
        'length(steps.events.items || `[]`) > `0` || steps.inbox.total_unread > `0`',
        scope.values,
      ),
    ).toBe(true);
    expect(
      evaluateCondition(
        'length(steps.none.items || `[]`) > `0` || steps.inbox.total_unread > `0`',
        scope.values,
      ),
    ).toBe(false);
    expect(evaluateCondition('${ steps.inbox.total_unread > `0` }', scope.values)).toBe(false);
    expect(evaluateCondition('!steps.inbox.ok', scope.values)).toBe(true);
    expect(() => evaluateCondition('${params.lat} yes', scope.values)).toThrow(/Only one/);
  });
});

describe('hostile input', () => {
  it('never reaches a prototype', () => {
    for (const text of [
      '${params.constructor}',
      '${params.__proto__}',
      '${params.toString}',
      '${params.deep.a.b.length}',
    ]) {
      expect(failure(text).kind).toBe('missing');
    }
    expect(render('${constructor?}')).toBeNull();
    for (const text of [
      '${{__proto__: params}}',
      '${{constructor: params}}',
      '${`{"__proto__": 1}`}',
      "${from_items([['__proto__', params]])}",
    ]) {
      expect(() => render(text)).toThrow(/not allowed/);
    }
    expect(() => render(JSON.parse('{"__proto__": {"a": "${params.lat}"}}'))).toThrow(/not allowed/);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each([
    ['a list that doubles', `\${${['params.deep.a.b', ...Array(100).fill('[@, @][]')].join(' | ')}}`],
    ['a shared tree that doubles', `\${${['params', ...Array(200).fill('[@, @]')].join(' | ')}}`],
    ['the same as text', `x\${${['params', ...Array(60).fill('[@, @]')].join(' | ')}}`],
    [
      'the same compared',
      `\${(${['params', ...Array(60).fill('[@, @]')].join(' | ')}) == (${['params', ...Array(60).fill('[@, @]')].join(' | ')})}`,
    ],
    ['the same hashed', `\${hash(${['params', ...Array(60).fill('[@, @]')].join(' | ')})}`],
    ['the same as JSON', `\${to_json(${['params', ...Array(60).fill('[@, @]')].join(' | ')})}`],
    [
      'a text that doubles',
      `\${${["'xx'", ...Array(60).fill("join(@, ['', @, @])")].join(' | ').replaceAll('join(@, ', "join('', ")}}`,
    ],
    [
      'a replacement that multiplies',
      `\${${["'xxxxxxxx'", ...Array(40).fill("replace(@, 'x', 'xxxxxxxx')")].join(' | ')}}`,
    ],
  ])('is stopped: %s', (_, text) => {
    expect(failure(text).kind).toBe('limit');
  });

  it('is refused when it is too long, too deep or too large', () => {
    expect(failure(`\${${'a'.repeat(5000)}}`).message).toContain('at most 4096');
    expect(failure(`\${${'('.repeat(40)}a${')'.repeat(40)}}`).message).toContain('deeper than 32');
    expect(failure(`\${${Array(1100).fill('a').join('.')}}`).message).toContain('more than 1000 parts');
    const big = { ...scope, values: { params: { text: 'x'.repeat(600_000) } } };
    expect(() => renderTemplate(['${params.text}', '${params.text}'], big)).toThrow(/larger than 1 MiB/);
  });
});

describe("pao's functions", () => {
  it.each([
    ["date_add(now, 'PT24H')", '2026-11-25T08:30:00+02:00'],
    ["date_add(now, '24h')", '2026-11-25T08:30:00+02:00'],
    ["date_add(now, '-P1M')", '2026-10-24T08:30:00+03:00'],
    ["date_add('2024-01-31T12:00:00Z', 'P1M')", '2024-02-29T14:00:00+02:00'],
    ['start_of_day(now)', '2026-11-24T00:00:00+02:00'],
    ['end_of_day(now)', '2026-11-25T00:00:00+02:00'],
    ["format_date(now, 'yyyy-LL-dd HH:mm')", '2026-11-24 08:30'],
    ["format_date('2026-11-24', 'cccc')", 'Tuesday'],
    ["default(params.none, 'x')", 'x'],
    ["shorten('kettle', `6`)", 'kettle'],
    ["shorten('kettles', `6`)", 'kettl…'],
    ["shorten('😀😀😀', `3`)", '😀😀😀'],
    ["shorten('😀😀😀', `2`)", '😀…'],
    ['to_json(params)', '{"a":1}'],
    ["from_json('[1]')", [1]],
    ['hash({b: `1`, a: `2`}) == hash({a: `2`, b: `1`})', true],
    ["hash('a') == hash('b')", false],
  ])('%s', (text, value) => {
    expect(
      evaluateExpression(
        text,
        { now: '2026-11-24T06:30:00Z', params: { a: 1 } },
        { zone: 'Europe/Chisinau' },
      ),
    ).toEqual(value);
  });

  it('adds days by the calendar and hours exactly, over a change of the clocks', () => {
    const at = (text: string): unknown =>
      evaluateExpression(text, { t: '2027-03-27T12:00:00+01:00' }, { zone: 'Europe/Berlin' });
    expect(at("date_add(t, 'P1D')")).toBe('2027-03-28T12:00:00+02:00');
    expect(at("date_add(t, 'PT24H')")).toBe('2027-03-28T13:00:00+02:00');
    expect(at("date_add('2027-03-27T02:30:00+01:00', 'P1D')")).toBe('2027-03-28T03:30:00+02:00');
    expect(at("date_add('2026-10-24T02:30:00+02:00', 'P1D')")).toBe('2026-10-25T02:30:00+02:00');
  });

  it('begins the day where the clocks leave midnight out', () => {
    expect(evaluateExpression("start_of_day('2024-09-08T12:00:00Z')", {}, { zone: 'America/Santiago' })).toBe(
      '2024-09-08T01:00:00-03:00',
    );
  });

  it.each([
    "date_add('yesterday', 'P1D')",
    "date_add('2026-11-24T08:30:00', 'P1D')",
    "date_add(now, 'soon')",
    "date_add(now, 'P9999Y')",
    "start_of_day('2026-02-30')",
    "from_json('{')",
    "shorten('a', `0`)",
  ])('refuses %s', (text) => {
    expect(() => evaluateExpression(text, { now: '2026-11-24T06:30:00Z' })).toThrow(TemplateError);
  });
});

describe('the scope of a run', () => {
  it('derives its times from the instant the run is for', () => {
    expect(scope.values['run']).toEqual({
      id: 'run_1',
      trigger: 'schedule',
      scheduled_for: '2026-11-24T06:30:00Z',
      day_start: '2026-11-24T00:00:00+02:00',
      day_end: '2026-11-25T00:00:00+02:00',
      local_date: '2026-11-24',
      attempt: 2,
    });
    expect(scope.values['now']).toBe('2026-11-24T06:30:00Z');
    expect(render('${task.timezone}/${task.title}')).toBe('Europe/Chisinau/Briefing');
  });

  it('has the local day also where UTC has another one, and where the day has 25 hours', () => {
    const at = (instant: string, zone: string) =>
      runScope({
        task: { id: 't', name: 'n' },
        run: { id: 'r', trigger: 'manual', scheduledFor: Date.parse(instant), attempt: 1 },
        params: {},
        zone,
      }).values['run'];
    expect(at('2026-11-24T22:30:00Z', 'Europe/Chisinau')).toMatchObject({ local_date: '2026-11-25' });
    expect(at('2026-11-24T06:30:00Z', 'Europe/Chisinau')).toMatchObject({ local_date: '2026-11-24' });
    expect(at('2026-10-25T12:00:00Z', 'Europe/Berlin')).toMatchObject({
      day_start: '2026-10-25T00:00:00+02:00',
      day_end: '2026-10-26T00:00:00+01:00',
    });
  });

  it('lends a name to the item of a foreach', () => {
    expect(renderTemplate('${mail.id}', withItem(scope, 'mail', { id: 3 })).value).toBe(3);
  });
});
