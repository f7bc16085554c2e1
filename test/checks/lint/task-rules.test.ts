import { describe, expect, it } from 'vitest';
import { writeBriefingTask, writeBriefingTools } from '../../../src/demo/templates/briefing.js';
import { found, lintTexts } from './lint-text.js';

const TASK = `name: daily
schedule:
  kind: cron
  expr: 30 8 * * 1-5
  timezone: UTC
params: { to: me }
pipeline:
  - id: get
    uses: weather.forecast
    save_as: weather
    timeout: 10s
  - id: say
    uses: telegram.send_message
    with: { text: "\${steps.weather.text} for \${params.to}" }
    idempotency_key: "daily/\${run.local_date}"
    timeout: 10s
`;
const put = (from: string | RegExp, to: string): string => {
  const text = TASK.replace(from, to);
  if (text === TASK) throw new Error(`${String(from)} is not in the task`);
  return text;
};

type Case = [what: string, text: string, ...findings: RegExp[]];

function cases(rule: string, table: Case[]): void {
  describe(`${rule}:`, () => {
    it.each([['passes the task', TASK] as Case, ...table])('%s', async (_what, text, ...patterns) => {
      const findings = await found(rule, text, 'daily.yaml');
      expect(findings).toHaveLength(patterns.length);
      for (const [index, pattern] of patterns.entries()) expect(findings[index]).toMatch(pattern);
    });
  });
}

cases('task-schema', [
  ['wants the name', put('name: daily\n', ''), /^1: \/name is required/],
  [
    'says which value is wrong',
    put('timeout: 10s', 'timeout: soon'),
    /^11: \/pipeline\/0\/timeout is not a duration/,
  ],
  ['knows the kinds of schedules', put('kind: cron', 'kind: chron'), /^3: \/schedule\/kind must be one of/],
  [
    'looks at every document of a file',
    `${TASK}---\n${put('timeout: 10s', 'timeout: soon').replace('daily', 'other')}`,
    /^28: \/pipeline\/0\/timeout/,
  ],
  [
    'finds two tasks of one name',
    `${TASK}---\n${TASK}`,
    /^18: a task of this name is there already, in line 1/,
  ],
  ['checks the pipeline', put('${params.to}', '${params.to'), /^14: .*no closing/],
  ['wants a task in a file that is named', '- 1\n', /There is no task in this file/],
]);

cases('unknown-key', [
  ['finds one', put('save_as', 'save_ass'), /^10: \/pipeline\/0\/save_ass unknown key "save_ass"/],
  ['finds one at the top', put('params:', 'parms:'), /^6: \/parms unknown key/],
]);

cases('unknown-reference', [
  [
    'finds a later step',
    put('save_as: weather', 'with: { x: "${steps.say.id}" }\n    save_as: weather'),
    /^10: \/pipeline\/0\/with\/x steps\.say does not exist yet/,
  ],
  [
    'finds an unknown step',
    put('steps.weather.text', 'steps.wether.text'),
    /^14: \/pipeline\/1\/with\/text there is no step "wether"/,
  ],
  [
    'finds a step that is itself',
    put('steps.weather.text', 'steps.say.text'),
    /steps\.say is the output of this step itself/,
  ],
  ['finds a parameter that is not there', put('params.to', 'params.ot'), /^14: .*params\.ot/],
  ['finds a name that does not exist', put('params.to', 'param.to'), /"param" does not exist/],
  ['lets what may be missing be missing', put('${params.to}', '${params.ot?}')],
]);

cases('schedule-invalid', [
  [
    'finds a cron expression that can not be',
    put('30 8 * * 1-5', '61 8 * * 1-5'),
    /^4: The minute field has "61"/,
  ],
  ['finds one that never fires', put('30 8 * * 1-5', '0 0 30 2 *'), /^4: .*never fires/],
  [
    'finds a zone that there is not',
    put('timezone: UTC', 'timezone: Europe/Chisinao'),
    /^5: "Europe\/Chisinao" is not a time zone/,
  ],
  [
    'looks at all of it, also when the rest of the task is wrong',
    put('30 8 * * 1-5', '61 8 * * 1-5')
      .replace('timezone: UTC', 'timezone: Europe/Chisinao')
      .replace('timeout: 10s', 'timeout: soon'),
    /^4: The minute field has "61"/,
    /^5: "Europe\/Chisinao" is not a time zone/,
  ],
  ['takes a rule without a start', put('cron\n  expr: 30 8 * * 1-5', 'rrule\n  expr: FREQ=DAILY;COUNT=3')],
  ['finds a rule that can not be', put('cron\n  expr: 30 8 * * 1-5', 'rrule\n  expr: FREQ=DAYLY'), /^4: /],
]);

cases('schedule-warning', [
  [
    'tells of a day that matches either way',
    put('30 8 * * 1-5', '30 8 13 * 5'),
    /^4: Day of month and day of week are both given/,
  ],
  [
    'tells of a gap ahead',
    put('30 8 * * 1-5', '30 2 * * *').replace('UTC', 'Europe/Berlin'),
    /does not exist, the clock jumps over it in Europe\/Berlin/,
    /comes twice/,
  ],
  [
    'tells of a time that is past',
    put('cron\n  expr: 30 8 * * 1-5', 'once\n  expr: 2020-01-01T00:00:00Z'),
    /^4: This time is past/,
  ],
]);

cases('interval-too-short', [
  [
    'finds it with the default timeout',
    put('30 8 * * 1-5', '"* * * * *"'),
    /^4: It is due every 1m, and a run may take 5m \(the default timeout\): occurrences are skipped/,
  ],
  [
    'finds it with its own timeout',
    put('params:', 'timeout: 2h\nparams:').replace('30 8 * * 1-5', '0 * * * *'),
    /every 1h, and a run may take 2h \(its timeout\)/,
  ],
  [
    'passes a timeout that is short enough',
    put('params:', 'timeout: 50s\nparams:').replace('30 8 * * 1-5', '"* * * * *"'),
  ],
  [
    'passes runs that may meet',
    put('timezone: UTC', 'timezone: UTC\n  overlap: allow').replace('30 8 * * 1-5', '"* * * * *"'),
  ],
  [
    'finds a queue that fills up',
    put('timezone: UTC', 'timezone: UTC\n  overlap: queue').replace('30 8 * * 1-5', '"* * * * *"'),
    /runs pile up in the queue/,
  ],
  [
    'looks at conditions as well',
    put(
      /kind: cron\n.*expr: .*\n/,
      'kind: condition\n  every: 30s\n  check: { uses: time.now }\n  when: "`true`"\n',
    ),
    /^4: It is due every 30s/,
  ],
]);

cases('call-timeout', [
  [
    'finds a call without one',
    put('    timeout: 10s\n  - id: say', '  - id: say'),
    /^9: The step "get" calls weather\.forecast without a timeout/,
  ],
  [
    'leaves out messages, which the outbox sends',
    put('    timeout: 10s\n  - id: say', '    kind: notify\n  - id: say'),
  ],
  [
    'knows what is built in',
    put(
      'uses: weather.forecast\n    save_as: weather\n    timeout: 10s',
      'uses: time.now\n    save_as: weather',
    ),
  ],
]);

cases('idempotency-key', [
  [
    'finds a send without one',
    put('    idempotency_key: "daily/${run.local_date}"\n', ''),
    /^13: The step "say" sends by telegram\.send_message without/,
  ],
  [
    'finds a key that is always the same',
    put('daily/${run.local_date}', 'daily'),
    /^15: The idempotency key is the same for every run/,
  ],
  [
    'finds a key that is the same for all items',
    put('    idempotency_key', '    foreach: { items: steps.weather.days }\n    idempotency_key'),
    /^16: The idempotency key is the same for every item/,
  ],
  [
    'passes a key with the item',
    put(
      '    idempotency_key: "daily/${run.local_date}"',
      '    foreach: { items: steps.weather.days }\n    idempotency_key: "daily/${item.id}"',
    ),
  ],
  [
    'takes kind: notify for a send',
    put('uses: weather.forecast', 'uses: weather.forecast\n    kind: notify'),
    /^9: The step "get" sends by weather\.forecast/,
  ],
]);

cases('unreachable-step', [
  [
    'finds a condition that is false',
    put('  - id: say', '  - id: say\n    if: false'),
    /^13: The step "say" never runs: its condition is false/,
  ],
  [
    'finds a condition that is always false',
    put('  - id: say', '  - id: say\n    if: "`1` > `2`"'),
    /its condition is always false/,
  ],
  [
    'finds a condition on a step that never runs',
    put('    save_as: weather', '    save_as: weather\n    if: false').replace(
      '  - id: say',
      '  - id: say\n    if: steps.weather.ok',
    ),
    /^11: The step "get"/,
    /^14: The step "say" never runs: its condition needs steps\.weather, which no step gives/,
  ],
  [
    'finds an empty list',
    put('  - id: say', '  - id: say\n    foreach: { items: "`[]`" }'),
    /its list is empty/,
  ],
  [
    'passes a condition that may be true',
    put('  - id: say', '  - id: say\n    if: steps.weather.ok == `true`'),
  ],
  [
    'tells the outer of two steps',
    put(
      '  - id: say',
      '  - id: both\n    if: false\n    parallel:\n      - { id: a, uses: time.now }\n      - { id: b, uses: time.now, if: steps.a.x }\n  - id: say',
    ),
    /^13: The step "both"/,
  ],
]);

cases('unused-save-as', [
  [
    'finds a name that nobody reads',
    put('steps.weather.text', 'steps.get.text'),
    /^10: "weather" is saved, and no step reads steps\.weather/,
  ],
  ['lets all of the steps be read', put('${steps.weather.text}', '${steps}')],
  [
    'lets a condition read it',
    put('${steps.weather.text}', 'x').replace('  - id: say', '  - id: say\n    if: steps.weather.ok'),
  ],
]);

describe('task files', () => {
  it('are read as JSON as well, with the place of every finding', async () => {
    const json = JSON.stringify(
      {
        name: 'x',
        schedule: { kind: 'cron', expr: '99 * * * *', timezone: 'UTC' },
        pipeline: [{ id: 'a', uses: 'time.now' }],
      },
      null,
      2,
    );
    const { findings } = await lintTexts({ 'task.json': json });
    expect(findings.map(({ rule, line, column }) => [rule, line, column])).toEqual([
      ['schedule-invalid', 5, 5],
    ]);
  });

  it('are told with what the catalog beside them knows', async () => {
    const tools = `tools:\n  - { address: weather.forecast, kind: http, timeout: 5s, http: { url: "http://example.com/" } }\n  - { address: telegram.send_message, kind: http, side_effect: idempotent, http: { method: POST, url: "http://example.com/" } }\n`;
    const task = put('weather.forecast', 'weather.forcast').replace(/ {4}(timeout|idempotency_key).*\n/g, '');
    const { findings } = await lintTexts({ 'task.yaml': task, 'tools.yaml': tools });
    expect(findings.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([
      'call-timeout: The step "get" calls weather.forcast without a timeout of its own',
      'task-schema: /pipeline/0/uses there is no tool "weather.forcast"',
      'call-timeout: The step "say" calls telegram.send_message without a timeout of its own',
    ]);
    expect(findings[1]?.hint).toBe('Did you mean "weather.forecast"?');
  });

  it('are told of channels that are not those of the project, when they are nearly', async () => {
    const channels = { phone: { kind: 'desktop' as const } };
    const task = `name: ask
pipeline:
  - { id: ask, approve: { message: 'Yes?', notify: phnoe } }
  - { id: say, uses: channel.elsewhere, with: { text: x } }
monitor: { notify: { channel: phon } }
`;
    const { findings } = await lintTexts({ 'task.yaml': task }, { channels });
    expect(findings.map(({ line, message, hint }) => [line, message, hint])).toEqual([
      [3, '/pipeline/0/approve/notify there is no channel "phnoe"', 'Did you mean "phone"?'],
      [5, '/monitor/notify/channel there is no channel "phon"', 'Did you mean "phone"?'],
    ]);
  });

  it('take the dates of holidays from the file that is named', async () => {
    const task = put(
      'timezone: UTC',
      'timezone: UTC\n  business_days: { calendar: none, dates_file: days.txt }',
    );
    const days = { 'task.yaml': task, 'days.txt': '2026-12-24 # the day before\n' };
    expect((await lintTexts(days, { paths: ['task.yaml'] })).findings).toEqual([]);
    const { findings } = await lintTexts({ ...days, 'days.txt': 'Christmas\n' }, { paths: ['task.yaml'] });
    expect(findings).toMatchObject([
      { rule: 'task-schema', line: 6, message: expect.stringMatching(/days\.txt:1 is not a date/) },
    ]);
  });

  it('that can not be read say where', async () => {
    const { findings } = await lintTexts({ 'task.yaml': 'name: x\npipeline: [\n' });
    expect(findings).toMatchObject([{ rule: 'syntax', line: 3 }]);
  });

  it('are told how to write every minute', async () => {
    const { findings } = await lintTexts({ 'task.yaml': put('30 8 * * 1-5', '* * * * *') });
    expect(findings).toMatchObject([
      { rule: 'syntax', line: 4, hint: 'Put a text that begins with * in quotes: "* * * * *"' },
    ]);
  });

  it('of the briefing are clean', async () => {
    const tools = writeBriefingTools({
      calendar: { command: 'node', args: ['calendar.cjs'] },
      ports: { weather: 1, mail: 2, chat: 3, telegram: 4 },
      model: 'demo',
    });
    for (const zone of ['UTC', 'Europe/Chisinau', 'America/New_York']) {
      const texts = { 'briefing.yaml': writeBriefingTask(zone), 'tools.yaml': tools };
      expect((await lintTexts(texts)).findings).toEqual([]);
    }
  });
});

describe('--fix', () => {
  it('renames keys and takes out names that nobody reads, and changes nothing else', async () => {
    const text = put('params:', 'parms:')
      .replace('steps.weather.text', 'steps.get.text')
      .replace('    idempotency_key', '    save_as: sent # for later\n    idempotency_key')
      .replace('${params.to}', 'me');
    const inline = `${text.replace('name: daily', 'name: inline')}  - { id: end, uses: time.now, save_as: never }\n`;
    const { texts, findings } = await lintTexts({ 'a.yaml': text, 'b.yaml': inline }, { fix: true });
    expect(findings).toEqual([]);
    expect(texts['a.yaml']).toBe(
      TASK.replace('    save_as: weather\n', '')
        .replace('steps.weather.text', 'steps.get.text')
        .replace('${params.to}', 'me'),
    );
    expect(texts['b.yaml']).toContain('  - { id: end, uses: time.now }\n');
  });
});

it('approval-unheard finds a question that nobody is told of, where the configuration is known', async () => {
  const ask = (notify = '') =>
    put(
      '    uses: weather.forecast\n    save_as: weather\n    timeout: 10s\n',
      `    approve: { message: "Go on?"${notify} }\n    save_as: weather\n`,
    );
  const channels = { phone: { kind: 'desktop' as const } };
  const look = async (text: string, notify: { approvals?: string } | null) => {
    const only = { only: ['approval-unheard', 'syntax'], channels, notify };
    const { findings } = await lintTexts({ 'daily.yaml': text }, only);
    return findings.map(({ line, message, hint }) => `${line}: ${message} ${hint}`);
  };
  expect(await look(ask(), {})).toEqual([
    expect.stringMatching(/^9: Nobody is told when step get asks.*approve: \{ notify: phone \} in the step$/),
  ]);
  expect(await look(ask(', notify: phone'), {})).toEqual([]);
  expect(await look(ask(), { approvals: 'phone' })).toEqual([]);
  expect(await look(ask(), null)).toEqual([]);
});
