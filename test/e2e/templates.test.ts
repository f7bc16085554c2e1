import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TEMPLATES } from '../../src/demo/templates/index.js';
import { type Pao, startPao } from './start-pao.js';

let pao: Pao;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pao-templates-'));
  pao = await startPao();
});
afterAll(async () => {
  try {
    await pao.cli(['init', 'briefing', '--stop-demo'], { cwd: directory });
    await pao.stop();
  } finally {
    pao.cleanUp();
    rmSync(directory, { recursive: true, force: true });
  }
});

const type = (...args: string[]) => pao.cli(args, { cwd: directory });
const server = (name: string) => {
  const { servers } = JSON.parse(readFileSync(join(directory, '.pao-demo', 'servers.json'), 'utf8')) as {
    servers: { name: string; url: string }[];
  };
  return servers.find((one) => one.name === name)?.url as string;
};
const messages = async (): Promise<string[]> => {
  const { messages: all } = (await (await fetch(`${server('telegram')}/messages`)).json()) as {
    messages: { text: string }[];
  };
  return all.map(({ text }) => text);
};
/** Waits until a message has arrived: what a run says is delivered apart from it. */
async function said(what: RegExp): Promise<void> {
  await expect.poll(messages, { timeout: 30_000 }).toContainEqual(expect.stringMatching(what));
}
async function run(task: string) {
  const { body } = await pao.api<{ id: string; status: string; reason: string | null; error: unknown }>(
    'POST',
    `/v1/tasks/${task}/run?wait=20s`,
    {},
  );
  const { status, reason, error } = body;
  if (status !== 'succeeded' && status !== 'skipped') throw new Error(JSON.stringify({ task, body, error }));
  return reason === null ? status : `${status} ${reason}`;
}

/** What each sends, and what a second run of it does. */
const EXPECTED: Record<string, { sends: RegExp; again: string }> = {
  briefing: { sends: /Weather: snow.*Dentist/s, again: 'succeeded' },
  'follow-ups': { sends: /Waiting for an answer:\nAnswer: /, again: 'skipped unchanged' },
  'inbox-triage': { sends: /^Unread mail:\n- /, again: 'skipped unchanged' },
  'site-watch': { sends: /The page says: Kettle .* 49\.90 EUR/, again: 'skipped unchanged' },
  'ci-watch': {
    sends: /^test on main: failure\nFix the kettle\nhttps:\/\/github\.com\/demo\/app/,
    again: 'succeeded',
  },
  'weekly-review': { sends: /Agenda:.*Did not work:\n- broken: failed/s, again: 'succeeded' },
  'backup-check': { sends: /^No backup was reported since /, again: 'succeeded' },
  'failure-digest': {
    sends: /^Did not work:\nbroken failed template.*\n\nSpent: .* tokens, .*\n[a-z-]+: .* tokens/s,
    again: 'succeeded',
  },
};

it('every template has a row here', () => {
  expect(Object.keys(EXPECTED)).toEqual(TEMPLATES.map(({ name }) => name));
});

it('they are written, all pass the linter, and are applied', async () => {
  for (const { name } of TEMPLATES) {
    const made = await type('init', name, '--demo', '--timezone', 'Europe/Chisinau');
    expect(made).toMatchObject({ code: 0 });
    expect(made.stderr).toContain(`pao task apply ${name}.yaml`);
  }
  const files = TEMPLATES.map(({ name }) => `${name}.yaml`);
  expect(await type('lint-scheduler', ...files)).toMatchObject({ code: 0 });
  expect(await type('tool', 'import', 'tools.yaml')).toMatchObject({ code: 0 });
  expect(await type('task', 'apply', ...files)).toMatchObject({ code: 0 });
  // Something that did not work, for the digests.
  const pipeline = [{ id: 'bad', uses: 'debug.echo', with: { x: "${date_add('never', 'P1D')}" } }];
  const { body } = await pao.api<{ id: string }>('POST', '/v1/tasks', { name: 'broken', pipeline });
  await pao.api('POST', `/v1/tasks/${body.id}/run?wait=20s`, {});
}, 180_000);

it.each(TEMPLATES.map(({ name, task }) => [name, task] as const))(
  '%s runs, and says what it should',
  async (name, task) => {
    expect(await run(task)).toBe('succeeded');
    await said(EXPECTED[name]?.sends as RegExp);
    expect(await run(task)).toBe(EXPECTED[name]?.again);
  },
);

it('a page that changes is told of again', async () => {
  await fetch(`${server('web')}/page`, { method: 'POST', body: '39.90' });
  expect(await run('site-watch')).toBe('succeeded');
  await said(/39\.90 EUR/);
});
