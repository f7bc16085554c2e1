import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTaskApi, type TaskApi } from './task-api.js';

let api: TaskApi;

beforeAll(async () => {
  api = await startTaskApi();
});

afterAll(() => api.close());

const daily = (name: string, more = '') => `name: ${name}
title: Every morning
schedule:
  kind: cron
  expr: 30 8 * * MON-FRI
  timezone: Europe/Chisinau
pipeline:
  - id: one
    uses: debug.echo
    with: { text: hello }
${more}`;

const write = (file: string, text: string) => writeFileSync(join(api.folder, file), text);

async function applied(name: string, text = daily(name)): Promise<void> {
  const end = await api.run('task:apply', ['-'], { input: text });
  expect(end).toMatchObject({ error: null, exitCode: 0 });
}

describe('task apply', () => {
  test('says created, then unchanged, then updated, with the next three occurrences in the zone', async () => {
    write('daily.yaml', daily('daily'));
    const first = await api.run('task:apply', ['daily.yaml']);
    expect(first).toMatchObject({ error: null, exitCode: 0 });
    expect(first.stdout).toMatch(/^daily {2}created/);
    expect(first.stdout.match(/ 08:30 Europe\/Chisinau/g)).toHaveLength(3);
    expect(first.stderr).toContain('pao task run daily --wait');
    expect((await api.run('task:apply', ['daily.yaml'])).stdout).toMatch(/^daily {2}unchanged/);
    write('daily.yaml', daily('daily', 'priority: 2\n'));
    const third = await api.run('task:apply', ['daily.yaml', '--json']);
    expect(JSON.parse(third.stdout)).toMatchObject({ name: 'daily', outcome: 'updated', version: 2 });
  });

  test('takes several documents from stdin and answers with all of them', async () => {
    const input = `${daily('many-a')}---\n{"name": "many-b", "pipeline": [{"id": "x", "uses": "debug.echo"}]}\n`;
    const { stdout } = await api.run('task:apply', ['-', '--json'], { input });
    const { items } = JSON.parse(stdout) as { items: { name: string; outcome: string }[] };
    expect(items.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['many-a', 'created'],
      ['many-b', 'created'],
    ]);
  });

  test('names file, line and column of each problem and changes nothing of the good ones', async () => {
    write('bad.yaml', `${daily('good-one')}---\n${daily('bad-one').replace('debug.echo', 'debug.ecko')}`);
    const { error, exitCode } = await api.run('task:apply', ['bad.yaml']);
    expect(exitCode).toBe(2);
    expect(error?.problems[0]?.message).toMatch(/^bad\.yaml:20:11 \/pipeline\/0\/uses /);
    expect((await api.run('task:show', ['good-one'])).exitCode).toBe(5);
  });

  test('points at what is wrong: the value, the name that is not known, and as it was written', async () => {
    write(
      'bad.yaml',
      [
        'name: bad',
        'quiet_hours: { from: "22:00", to: "7", timezone: UTC }',
        'schedule: { kind: rrule, expr: "FREQ=WEEKLY;BYDAY=FRY", timezone: UTC }',
        'pipeline:',
        '  - { id: one, uses: debug.echo, wiht: {} }',
      ].join('\n'),
    );
    const { error } = await api.run('task:apply', ['bad.yaml']);
    expect(error?.problems).toEqual([
      {
        pointer: expect.any(String),
        message: expect.stringMatching(/^bad\.yaml:2:35 \/quiet_hours\/to must be/),
      },
      expect.objectContaining({
        message: expect.stringMatching(/^bad\.yaml:5:34 \/pipeline\/0\/wiht unknown key/),
        hint: 'Did you mean "with"?',
      }),
      expect.objectContaining({
        message: expect.stringMatching(/^bad\.yaml:3:32 \/schedule\/expr BYDAY has "FRY"/),
        hint: 'Did you mean FR?',
      }),
    ]);
  });

  test('refuses YAML that is none, a task without a name, a name that is there twice, and no file', async () => {
    write('broken.yaml', 'name: x\n  bad: [');
    expect((await api.run('task:apply', ['broken.yaml'])).error?.message).toMatch(/^broken\.yaml:\d+:\d+: /);
    write('nameless.yaml', 'pipeline: []\n');
    const nameless = await api.run('task:apply', ['nameless.yaml']);
    expect(nameless.error?.problems[0]?.message).toBe('nameless.yaml:1:1 /name is required');
    write('twice.yaml', `${daily('twin')}---\n${daily('twin')}`);
    const twice = await api.run('task:apply', ['twice.yaml']);
    expect(twice.error?.problems[0]?.message).toContain('twin is there twice, first at twice.yaml:1');
    const missing = await api.run('task:apply', ['missing.yaml']);
    expect(missing.error).toMatchObject({ exitCode: 2, message: expect.stringContaining('no such file') });
  });

  test('checks with --dry-run and keeps nothing', async () => {
    const end = await api.run('task:apply', ['-', '--dry-run'], { input: daily('only-checked') });
    expect(end.stdout).toMatch(/^only-checked {2}valid/);
    expect((await api.run('task:show', ['only-checked'])).exitCode).toBe(5);
  });
});

test('task create refuses a name that is taken', async () => {
  write('fresh.yaml', daily('fresh'));
  expect((await api.run('task:create', ['-f', 'fresh.yaml'])).stdout).toMatch(/^fresh {2}created/);
  expect((await api.run('task:create', ['-f', 'fresh.yaml'])).exitCode).toBe(1);
});

test('task create of several creates none where one is wrong, or its name is taken', async () => {
  await applied('taken');
  write('several.yaml', `${daily('first-of-all')}---\n${daily('taken')}`);
  const { exitCode, error } = await api.run('task:create', ['-f', 'several.yaml']);
  expect([exitCode, error?.message]).toEqual([1, 'There is a task taken already; nothing was created.']);
  write('several.yaml', `${daily('first-of-all')}---\nname: second\npipeline: 7\n`);
  expect((await api.run('task:create', ['-f', 'several.yaml'])).exitCode).toBe(2);
  expect((await api.run('task:show', ['first-of-all'])).exitCode).toBe(5);
});

test('a name that is not there is exit 5 with the nearest one', async () => {
  await applied('morning-briefing');
  const { error } = await api.run('task:show', ['mornign-briefing']);
  expect(error).toMatchObject({
    exitCode: 5,
    hints: ['Did you mean morning-briefing?', 'pao task list'],
  });
});

test('task list, show, next and explain name the task, its schedule and its local times', async () => {
  await applied('shown');
  const list = await api.run('task:list', ['--search', 'shown']);
  expect(list.stdout).toMatch(/shown +active .*08:30 Europe\/Chisinau \(in /);
  const show = await api.run('task:show', ['shown']);
  expect(show.stdout).toContain('Every morning');
  expect(show.stdout).toContain('1. one  debug.echo');
  const next = await api.run('task:next', ['shown', '--count', '4']);
  expect(next.stdout.match(/ 08:30 Europe\/Chisinau/g)).toHaveLength(4);
  const { stdout } = await api.run('task:explain', ['shown', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({
    task: { name: 'shown' },
    lines: [{ text: expect.stringContaining('Next: ') }],
  });
  const explained = await api.run('task:explain', ['shown']);
  expect(explained.stdout).toContain('Next: ');
});

test('an empty list says what to type', async () => {
  const { stdout, stderr } = await api.run('task:list', ['--search', 'nothing-like-this']);
  expect(stdout).toBe('');
  expect(stderr).toContain('pao task list');
});

test('pause, resume, snooze and skip change what the task list says', async () => {
  await applied('verbs');
  const line = async () => (await api.run('task:list', ['--search', 'verbs'])).stdout;
  expect((await api.run('task:pause', ['verbs', '--reason', 'on holiday'])).stderr).toContain(
    'verbs is paused',
  );
  expect(await line()).toContain('paused: on holiday');
  const sentence = 'budget: The budget does not reach: this task may use 130 tokens on 2026-11-26.';
  await api.run('task:pause', ['verbs', '--reason', sentence]);
  expect(await line()).toMatch(/paused: budget +/);
  expect((await api.run('task:show', ['verbs'])).stdout).toContain(sentence);
  const told = await api.run('task:explain', ['verbs', '--at', '2026-11-26 00:14']);
  expect(told).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/2026-11-26\.$/m) });
  expect((await api.run('task:explain', ['verbs', '--at', 'noonish'])).error).toMatchObject({
    hints: expect.arrayContaining(['--at "2026-11-24 08:30"']),
  });
  await api.run('task:resume', ['verbs']);
  expect(await line()).toMatch(/verbs +active/);
  expect((await api.run('task:skip', ['verbs'])).stderr).toMatch(
    /verbs leaves out .* 08:30 Europe\/Chisinau\n *Next: .* 1 left out before it/,
  );
  expect(await line()).toContain('1 left out before it');
  await api.run('task:snooze', ['verbs', '--for', '30d']);
  expect(await line()).toMatch(/in (29|30|31|32|33)d.*; [0-9]+ left out before it/);
  expect((await api.run('task:snooze', ['verbs'])).exitCode).toBe(2);
});

test('cancel wants a yes and keeps the history', async () => {
  await applied('ended');
  expect((await api.run('task:cancel', ['ended'])).error?.code).toBe('PAO_CONFIRMATION_NEEDED');
  expect((await api.run('task:cancel', ['ended', '--yes'])).exitCode).toBe(0);
  expect((await api.run('task:show', ['ended', '--json'])).stdout).toContain('"state": "canceled"');
  expect((await api.run('task:list', [])).stdout).not.toContain('ended');
  expect((await api.run('task:list', ['--all'])).stdout).toMatch(/ended +canceled/);
});

test('an exported task is taken back unchanged, and a file is not overwritten by chance', async () => {
  await applied('exported');
  const end = await api.run('task:export', ['exported', '--output', 'exported.yaml']);
  expect(end).toMatchObject({ error: null });
  expect(readFileSync(join(api.folder, 'exported.yaml'), 'utf8')).toMatch(/^name: exported\n/);
  expect((await api.run('task:apply', ['exported.yaml'])).stdout).toMatch(/^exported {2}unchanged/);
  expect((await api.run('task:export', ['exported', '-o', 'exported.yaml'])).error?.code).toBe(
    'PAO_FILE_EXISTS',
  );
});

test('an export has what is watched, and that no quiet hours count: they are not lost on the way', async () => {
  const more = 'monitor: { max_age: 26h, pause_after: 3 }\nquiet_hours: none\non_vacation: skip\n';
  await applied('watched', daily('watched', more));
  await api.run('task:export', ['watched', '-o', 'watched.yaml']);
  const text = readFileSync(join(api.folder, 'watched.yaml'), 'utf8');
  expect(text).toMatch(/^monitor:\n {2}max_age: 26h\n {2}pause_after: 3$/m);
  expect(text).toMatch(/^quiet_hours: none$/m);
  expect((await api.run('task:apply', ['watched.yaml'])).stdout).toMatch(/^watched {2}unchanged/);
  expect((await api.run('task:show', ['watched'])).stdout).toContain(
    'watched   a success every 26h, paused after 3 failures in a row',
  );
});

test('task history names who changed what', async () => {
  await applied('changed');
  await applied('changed', daily('changed', 'priority: 1\n'));
  const { stdout } = await api.run('task:history', ['changed']);
  expect(stdout).toMatch(/ 2 .* admin +.*priority/);
  expect(stdout).toMatch(/ 1 .*created/);
  const newest = (await api.run('task:history', ['changed', '--limit', '1'])).stdout;
  expect(newest).toMatch(/ 2 .*priority/);
  expect(newest).not.toMatch(/created/);
});

const manual = (name: string, uses: string) =>
  `name: ${name}\nparams: { text: none }\npipeline:\n  - { id: one, uses: ${uses}, with: { text: "\${params.text}" } }\n`;

describe('task run', () => {
  test('waits and ends with 0 when it succeeded; parameters reach the run', async () => {
    await applied('quick', manual('quick', 'debug.echo'));
    const end = await api.run('task:run', ['quick', '--param', 'text=hello', '--wait', '--json']);
    expect(end.exitCode).toBe(0);
    expect(JSON.parse(end.stdout)).toMatchObject({
      status: 'succeeded',
      params: { text: 'hello' },
      steps: [{ id: 'one', status: 'succeeded', output: { text: 'hello' } }],
    });
  });

  test('ends with 1 and names the step when it failed', async () => {
    await applied('failing', manual('failing', 'test.fail'));
    const end = await api.run('task:run', ['failing', '--wait']);
    expect(end).toMatchObject({ exitCode: 1, error: null });
    expect(end.stderr).toContain('The tool said no.');
  });

  test('ends with 124 when it takes too long, and Ctrl-C ends only the waiting', async () => {
    await applied('slow', manual('slow', 'test.hold'));
    const late = await api.run('task:run', ['slow', '--wait', '--timeout', '100ms']);
    expect(late.exitCode).toBe(124);
    const interruption = new AbortController();
    const { id } = JSON.parse((await api.run('run:show', ['latest', '--json'])).stdout) as { id: string };
    const waiting = api.run('run:watch', [id], { signal: interruption.signal });
    interruption.abort();
    await expect(waiting).resolves.toMatchObject({ stderr: expect.stringContaining('The run goes on') });
    api.release();
    expect((await api.run('run:watch', ['latest', '--task', 'slow'])).stdout).toContain('succeeded');
  });

  test('refuses parameters that are none', async () => {
    expect((await api.run('task:run', ['quick', '--param', 'nonsense'])).exitCode).toBe(2);
    expect((await api.run('task:run', ['quick', '--params', '[1]'])).exitCode).toBe(2);
    expect((await api.run('task:run', ['quick', '--params', '{"a":'])).error?.problems).toHaveLength(1);
  });
});

describe('schedules of a task file', () => {
  const stored = async (name: string) =>
    JSON.parse((await api.run('task:show', [name, '--json'])).stdout) as {
      schedule: Record<string, unknown>;
      words: string;
      version: number;
      state: string;
    };

  test('every: 15m becomes a rule that counts from midnight, and stays the same when applied again', async () => {
    const text = daily('quarters').replace(/kind: cron\n {2}expr: .*\n/, 'every: 15m\n');
    await applied('quarters', text);
    const { schedule, words } = await stored('quarters');
    expect(schedule).toMatchObject({ kind: 'rrule', expr: 'FREQ=MINUTELY;INTERVAL=15' });
    expect(words).toMatch(/^every 15 minutes/);
    const { items } = JSON.parse((await api.run('task:next', ['quarters', '--json'])).stdout) as {
      items: { at: string }[];
    };
    for (const { at } of items) expect(Date.parse(at) % 900_000).toBe(0);
    const again = await api.run('task:apply', ['-'], { input: text });
    expect(again.stdout).toMatch(/^quarters {2}unchanged/);
    const wrong = await api.run('task:apply', ['-'], { input: text.replace('15m', 'often') });
    expect(wrong.exitCode).toBe(2);
    expect(JSON.stringify(wrong.error)).toContain('/schedule/every');
  });

  test('business days of a country, with dates of a file, move an occurrence and are said in words', async () => {
    write('closed.txt', '# the office is closed\n2030-12-24\n- 2030-12-27 # and this\n\n');
    const text = daily('work').replace(
      '  timezone:',
      '  business_days: { calendar: RO, roll: next, dates_file: closed.txt }\n  timezone:',
    );
    write('work.yaml', text.replace('30 8 * * MON-FRI', '30 8 24 12 *'));
    expect(await api.run('task:apply', ['work.yaml'])).toMatchObject({ error: null, exitCode: 0 });
    const { schedule, words } = await stored('work');
    expect(schedule['business_days']).toEqual({
      calendar: 'RO',
      roll: 'next',
      dates: ['2030-12-24', '2030-12-27'],
    });
    expect(words).toContain('moved to the next of the working days of RO');
    const next = await api.run('task:next', ['work', '--from', '2030-12-20T00:00:00Z', '-n', '1', '--json']);
    // The 24th is closed by the file, the 25th and 26th are holidays, the 27th is closed, then it is weekend.
    expect(next.stdout).toContain('2030-12-30T06:30:00');
    // A time without an offset is on the clock of the task: 06:29 in UTC.
    const local = await api.run('task:next', ['work', '--from', '2030-12-30 08:29', '-n', '1', '--json']);
    expect(local.stdout).toContain('2030-12-30T06:30:00');
    write('closed.txt', 'tomorrow\n');
    const wrong = await api.run('task:apply', ['work.yaml']);
    expect(wrong.exitCode).toBe(2);
    expect(JSON.stringify(wrong.error)).toContain('closed.txt:1 is not a date');
  });

  test('a changed schedule shows what was due before; rollback brings it back as a new version', async () => {
    await applied('changing');
    const later = await api.run('task:apply', ['-'], { input: daily('changing').replace('30 8', '45 9') });
    expect(later.stdout.match(/was .* 08:30/g)).toHaveLength(3);
    expect(later.stdout.match(/^ {2}next .* 09:45/gm)).toHaveLength(3);
    await api.run('task:pause', ['changing', '--reason', 'holiday']);
    await api.run('task:resume', ['changing']);
    const back = await api.run('task:rollback', ['changing']);
    expect(back).toMatchObject({ error: null, exitCode: 0 });
    expect(back.stdout).toMatch(/next .* 08:30/);
    expect(await stored('changing')).toMatchObject({ version: 5, schedule: { expr: '30 8 * * MON-FRI' } });
    expect((await api.run('task:rollback', ['changing', '--to', '2'])).stdout).toMatch(/next .* 09:45/);
    expect((await api.run('task:rollback', ['changing', '--to', '99'])).exitCode).toBe(5);
    await applied('never-changed');
    expect((await api.run('task:rollback', ['never-changed'])).exitCode).toBe(1);
  });

  test('resume --catch-up is kept as an order until the scheduler has carried it out', async () => {
    await applied('resting');
    await api.run('task:pause', ['resting']);
    expect(await api.run('task:resume', ['resting', '--catch-up', 'all'])).toMatchObject({ exitCode: 0 });
    const { items } = await api.system.store.listTasks({ search: 'resting', limit: 1 });
    expect(items[0]?.memory).toMatchObject({ resume: { catchup: 'all' } });
    expect((await api.run('task:resume', ['resting', '--catch-up', 'some'])).exitCode).toBe(2);
  });

  test('warns of a run that takes longer than the time to the next, by the history of the task', async () => {
    const text = daily('slow').replace('30 8 * * MON-FRI', '"* * * * *"');
    await applied('slow', text);
    const { system } = api;
    const [task] = (await system.store.listTasks({ search: 'slow', limit: 1 })).items;
    const run = await system.runNow(task as NonNullable<typeof task>);
    await system.until(run.id, 'succeeded');
    const next = await api.run('task:next', ['slow']);
    expect(next.stderr).not.toContain('takes longer');
    vi.spyOn(system.store, 'listRuns').mockImplementation(async () => ({
      items: [{ ...run, startedAt: 0, finishedAt: 90_000 }],
      nextCursor: null,
    }));
    const warned = await api.run('task:apply', ['-'], { input: `${text}priority: 3\n` });
    const asked = await api.run('task:next', ['slow']);
    vi.restoreAllMocks();
    for (const { stderr } of [warned, asked])
      expect(stderr).toContain('takes longer than the time to the next');
  });
});

test('task export --ics writes a calendar of all tasks, and without a name all of them as documents', async () => {
  await applied('in-calendar');
  await applied('in-calendar-too');
  expect((await api.run('task:export', ['--ics', '-o', 'all.ics'])).exitCode).toBe(0);
  const text = readFileSync(join(api.folder, 'all.ics'), 'utf8').replaceAll('\r\n ', '');
  expect(text).toMatch(/^BEGIN:VCALENDAR\r\n/);
  expect(text).toContain('pao task explain in-calendar');
  const one = await api.run('task:export', ['in-calendar', '--ics']);
  expect(one.stdout).toContain('DTSTART;TZID=Europe/Chisinau:');
  await api.run('task:export', ['-o', 'all.yaml']);
  const again = await api.run('task:apply', ['all.yaml', '--json']);
  const { items } = JSON.parse(again.stdout) as { items: { outcome: string }[] };
  expect(items.length).toBeGreaterThan(1);
  expect(new Set(items.map(({ outcome }) => outcome))).toEqual(new Set(['unchanged']));
});
