import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentObject, ApprovalObject, ListPage, RunObject } from '../../src/client/api-objects.js';
import { findChromium, sayNoChromium } from '../browser/find-chromium.js';
import { type Pao, startPao, until } from './start-pao.js';

const HOUR = 3_600_000;
const HOSTILE =
  '<img src=x onerror="document.body.dataset.hit=1"><script>document.body.dataset.hit=1</script>';
const WIDTH = 360;
const DESK = { viewport: { width: 1100, height: 800 } };
const PHONE = { viewport: { width: WIDTH, height: 740 }, isMobile: true, hasTouch: true };
const OFFLINE = { ...DESK };
let pao: Pao;
let browser: Browser;
const complaints: string[] = [];

describe.skipIf(sayNoChromium('the dashboard in a browser'))('in a browser', () => {
  beforeAll(async () => {
    const executablePath = findChromium();
    [pao, browser] = await Promise.all([
      startPao({ clock: '2026-11-24T06:00:00Z' }),
      // Root has no sandbox to go into.
      chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] }),
    ]);
    const create = async (task: object) => {
      const { status, body } = await pao.api('POST', '/v1/tasks', task);
      if (status !== 201) throw new Error(`The task was refused: ${JSON.stringify(body)}`);
    };
    await create({
      name: 'report',
      title: 'Send the report',
      pipeline: [
        {
          id: 'ask',
          approve: { message: `Send it? ${HOSTILE}`, data: { text: 'draft', copies: 2 }, expires_in: '1h' },
        },
        { id: 'say', uses: 'debug.echo', with: { text: '${steps.ask.data.text}' } },
      ],
    });
    await create({
      name: 'backup',
      schedule: {
        kind: 'event',
        absent: { topic: 'backup.done', within: '26h' },
        timezone: 'Europe/Chisinau',
      },
      pipeline: [{ id: 'say', uses: 'debug.echo' }],
    });
    await create({ name: 'second', pipeline: [{ id: 'ask', approve: { message: 'And this?' } }] });
    await create({
      name: 'hostile',
      title: HOSTILE,
      schedule: { kind: 'cron', expr: '0 9 * * *', timezone: 'Europe/Chisinau' },
      pipeline: [{ id: 'say', uses: 'debug.echo', with: { text: HOSTILE } }],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await pao?.stop();
    pao?.cleanUp();
  });

  /** One after the other, as they are asked for: to make them costs more than to use them. */
  const contexts = new Map<object, Promise<BrowserContext>>();

  /** A tab of its own, with nothing kept from another. What the browser complains about fails the test at the end. */
  async function open(place: string, device: BrowserContextOptions = DESK): Promise<Page> {
    const made = contexts.get(device) ?? browser.newContext({ timezoneId: 'Europe/Berlin', ...device });
    contexts.set(device, made);
    const page = await (await made).newPage();
    page.setDefaultTimeout(15_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // That a request was refused is told by the page; a policy that was broken is not.
      if (/Content Security Policy|Trusted/.test(message.text())) complaints.push(message.text());
    });
    await page.goto(`${pao.url}/${place}`);
    return page;
  }

  async function waitingApproval(task = 'report'): Promise<ApprovalObject> {
    const run = await pao.json<RunObject>(['task', 'run', task]);
    return until('the question', async () => {
      const { body } = await pao.api<ListPage<ApprovalObject>>('GET', '/v1/approvals');
      return body.items.find(({ run_id: id }) => id === run.id) ?? null;
    });
  }

  const runOf = async ({ run_id: id }: ApprovalObject) =>
    (await pao.api<RunObject>('GET', `/v1/runs/${id}?wait=20s`)).body;
  const nothingWasExecuted = (page: Page) => page.evaluate('document.body.dataset.hit === undefined');
  const widthOf = (page: Page) => page.evaluate<number>('document.documentElement.scrollWidth');
  const tokens = async () => (await pao.api<AgentObject>('GET', '/v1/agents/me')).body.tokens ?? [];

  test('pao dashboard signs in once; the token of the link is ended, and none is in the address; signing out ends the tab’s', async () => {
    const { link } = await pao.json<{ link: string }>(['dashboard']);
    const page = await open(new URL(link).hash);
    await page.getByRole('heading', { name: 'All is well.' }).waitFor();
    expect(page.url()).toBe(`${pao.url}/#now`);
    expect(await page.evaluate('document.cookie + JSON.stringify(localStorage)')).toBe('{}');
    const [tab, used] = await Promise.all(
      ['dashboard', 'dashboard link'].map(async (label) =>
        (await tokens()).find((one) => one.label === label),
      ),
    );
    expect(tab?.revoked_at).toBeNull();
    expect(used?.revoked_at).not.toBeNull();
    const secondTime = await open(new URL(link).hash);
    await secondTime.getByText('That link or token is good no more').waitFor();
    await secondTime.close();
    await page.goto(link);
    await page.getByText('was revoked. You are still signed in.').waitFor();
    await page.getByRole('heading', { name: 'All is well.' }).waitFor();

    await page.getByRole('link', { name: 'Tasks' }).click();
    await page.getByText(HOSTILE).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Tasks' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    await until('the token to be ended', async () => {
      const one = (await tokens()).find(({ id }) => id === tab?.id);
      return one?.revoked_at !== null;
    });
    await page.close();
  });

  test('a link to an approval asks for a token first; the person changes the data, approves, and sees the run go on', async () => {
    const approval = await waitingApproval();
    const page = await open(`#approval=${approval.id}`, PHONE);
    await page.getByText('A question waits for your answer.').waitFor();
    await page.getByLabel('Token').fill('pao_a_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This is no token of this pao').waitFor();
    await page.getByLabel('Token').fill(pao.token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: `Send it? ${HOSTILE}` }).waitFor();
    expect(await nothingWasExecuted(page)).toBe(true);
    const deadline = await page.locator('.deadline').textContent();
    expect(deadline).toContain(
      '08:00 (Europe/Berlin), in 1h; without an answer by then the step is not done (a timeout, not a denial).',
    );
    expect(await widthOf(page)).toBeLessThanOrEqual(WIDTH);

    await page.getByRole('button', { name: 'Change it first' }).click();
    await page.getByLabel('copies').fill('two');
    await page.getByText('copies is none yet').waitFor();
    expect(await page.locator('#approve').isDisabled()).toBe(true);
    await page.getByLabel('copies').fill('3');
    await page.getByRole('button', { name: 'As JSON' }).click();
    const editor = page.getByLabel('What is approved, as JSON');
    expect(JSON.parse(await editor.inputValue())).toEqual({ text: 'draft', copies: 3 });
    await editor.fill('{"text": "final",');
    await page.getByText('This is not JSON yet').waitFor();
    await editor.fill('{"text": "final", "copies": 3}');
    await page.getByLabel('Comment').fill('shorter');
    await page.getByRole('button', { name: 'Approve with the change' }).click();
    await page.getByText('It was approved by you (admin)').waitFor();
    await page.getByRole('link', { name: 'See what became of the run' }).click();
    await page.locator('h1 .chip.good', { hasText: 'succeeded' }).waitFor();
    expect((await runOf(approval)).output).toEqual({ text: 'final' });
    const { body } = await pao.api<ApprovalObject>('GET', `/v1/approvals/${approval.id}`);
    expect(body).toMatchObject({ state: 'approved', comment: 'shorter', data: { text: 'final', copies: 3 } });
    await page.close();
  });

  test('who answers too late is told that it expired, and that a timeout is not a denial', async () => {
    const approval = await waitingApproval();
    const page = await open(`#token=${pao.token}&approval=${approval.id}`);
    const approve = page.getByRole('button', { name: 'Approve' });
    await approve.waitFor();
    // The page is not told that time went by until the person has answered.
    let answered = false;
    await page.route('**/v1/approvals/*', async (route) => {
      if (route.request().method() === 'POST') answered = true;
      return answered ? route.continue() : route.fulfill({ json: approval });
    });
    await pao.advance(2 * HOUR);
    await approve.click();
    await page.locator('#said', { hasText: 'This approval expired at' }).waitFor();
    await page.getByText('nobody had answered. It can not be answered any more.').waitFor();
    await page.getByText('A timeout is not a denial').waitFor();
    expect(await runOf(approval)).toMatchObject({ status: 'failed', reason: 'expired' });
    await page.getByRole('link', { name: 'See what became of the run' }).click();
    await page.locator('h1 .chip', { hasText: 'failed' }).waitFor();
    await page.close();
  });

  test('a task that its budget paused is on the first page, and in pao status, until it is resumed there', async () => {
    await pao.api('POST', '/v1/tasks', {
      name: 'dear',
      title: 'Ask for little',
      budget: { per_day: { runs: 1 }, on_exceed: 'pause' },
      pipeline: [{ id: 'say', uses: 'debug.echo' }],
    });
    const statuses: string[] = [];
    for (const _ of [1, 2]) {
      const { id } = await pao.json<RunObject>(['task', 'run', 'dear']);
      statuses.push((await pao.api<RunObject>('GET', `/v1/runs/${id}?wait=20s`)).body.status);
    }
    expect(statuses).toEqual(['succeeded', 'skipped']);
    const warning = '1 task paused by pao itself (budget or failures): pao task list --state paused';
    expect((await pao.cli(['status'])).stderr).toContain(warning);
    const page = await open(`#token=${pao.token}`);
    const part = page.locator('section', { hasText: 'Paused by pao' });
    await part.getByRole('link', { name: 'Ask for little' }).waitFor();
    await part.getByText('budget: ').waitFor();
    const wrong = page.locator('section', { hasText: 'Went wrong in the last 24 hours' });
    await wrong.locator('a', { hasText: 'dear skipped' }).waitFor();
    await part.getByRole('button', { name: 'Resume' }).click();
    await page.locator('#said', { hasText: 'dear goes on.' }).waitFor();
    await part.waitFor({ state: 'detached' });
    expect((await pao.cli(['status'])).stderr).not.toContain('paused by pao');
    await page.close();
  });

  test('a question about an approval goes with it, unanswered; after an answer the menu and the list know at once', async () => {
    const [first, second] = [await waitingApproval(), await waitingApproval('second')];
    const page = await open(`#token=${pao.token}&approvals`);
    const badge = page.locator('#badge');
    const openOnes = page.locator('section', { hasText: 'Open' }).locator('a');
    await expect.poll(() => badge.textContent(), { timeout: 15_000 }).toBe('2');
    const dialog = page.getByRole('dialog');
    const ask = async () => {
      await page.evaluate(`location.hash = '#approval=${first.id}'`);
      await page.getByRole('button', { name: 'Change it first' }).click();
      await page.getByLabel('copies').fill('3');
      await page.getByRole('button', { name: 'Deny' }).click();
      await dialog.getByText(/^Say no to “Send it\? .*”, and lose your changes\?$/).waitFor();
    };
    await ask();
    await page.goBack();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('heading', { name: 'Approvals' }).waitFor();
    expect(await openOnes.count()).toBe(2);

    await ask();
    // As a second link does that is followed in the tab.
    await page.evaluate(`location.hash = '#approval=${second.id}'`);
    await dialog.waitFor({ state: 'detached' });
    await page.locator(`a[href="#run=${second.run_id}"]`).waitFor();
    const stateOf = async ({ id }: ApprovalObject) =>
      (await pao.api<ApprovalObject>('GET', `/v1/approvals/${id}`)).body.state;
    expect(await stateOf(first)).toBe('pending');

    // While the clock of the browser stands nothing looks again by itself.
    await page.clock.install();
    await page.reload();
    await page.locator(`a[href="#run=${second.run_id}"]`).waitFor();
    await expect.poll(() => badge.textContent(), { timeout: 15_000 }).toBe('2');
    await page.clock.pauseAt(Date.now() + 1000);
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.locator('#said', { hasText: 'Denied.' }).waitFor();
    await expect.poll(() => badge.textContent(), { timeout: 15_000 }).toBe('1');
    await page.getByRole('link', { name: /^Approvals/ }).click();
    await page.locator('#said').waitFor({ state: 'hidden' });
    await expect.poll(() => openOnes.count(), { timeout: 15_000 }).toBe(1);
    expect([await stateOf(first), await stateOf(second)]).toEqual(['pending', 'denied']);
    await pao.api('POST', `/v1/approvals/${first.id}`, { decision: 'deny' });
    await page.close();
  });

  test('what tools and people write is shown as it is written; a task is run, skipped and paused by its buttons', async () => {
    const page = await open(`#token=${pao.token}&task=hostile`, PHONE);
    await page.getByRole('heading', { name: HOSTILE }).waitFor();
    await page.getByRole('button', { name: 'Skip next' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave it out' }).click();
    await page.locator('#said', { hasText: /Left out: .* 09:00/ }).waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    await page.getByText('paused by admin in the dashboard').waitFor();
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.locator('h1 .chip.good', { hasText: 'succeeded' }).waitFor();
    await page.getByText('Input and output').click();
    await page.locator('pre', { hasText: 'onerror' }).first().waitFor();
    expect(await nothingWasExecuted(page)).toBe(true);
    expect(await widthOf(page)).toBeLessThanOrEqual(WIDTH);
    await page.close();
  });

  test('every page comes with its heading; the runs are chosen by their status', async () => {
    const page = await open(`#token=${pao.token}`);
    for (const name of ['Agenda', 'Tasks', 'Runs', 'Approvals', 'Spend']) {
      await page.getByRole('link', { name, exact: name !== 'Approvals' }).click();
      await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();
    }
    await page.getByRole('link', { name: 'Tasks' }).click();
    await page.getByText('on its event').waitFor();
    await page.goto(`${pao.url}/#task=backup`);
    await page.getByText(/no backup\.done since .*; it runs at .* unless one comes before/).waitFor();
    await page.goto(`${pao.url}/#runs`);
    await page.getByLabel('Status').selectOption('failed');
    const shown = async () => [...new Set(await page.locator('.rows .chip').allTextContents())];
    await expect.poll(shown, { timeout: 15_000 }).toEqual(['failed']);
    expect(page.url()).toBe(`${pao.url}/#runs&status=failed`);
    await page.close();
  });

  test('a token with fewer scopes sees what it may, and is told in words what it may not', async () => {
    const { body } = await pao.api<{ token: { secret: string } }>('POST', '/v1/agents', {
      name: 'reader',
      scopes: ['tasks:read'],
    });
    const page = await open(`#token=${body.token.secret}`);
    await page.getByText('This token may not do or see that').first().waitFor();
    await page.getByText('Nothing is due in the next 24 hours.').waitFor();
    await page.getByRole('link', { name: 'Runs' }).click();
    await page.getByRole('heading', { name: 'Not for this token' }).waitFor();
    await page.getByText('runs:read').waitFor();
    await page.close();
  });

  test('when the server is away the page says so, keeps what it knows, and goes on when it is back', async () => {
    const page = await open(`#token=${pao.token}`, OFFLINE);
    await page.getByRole('heading', { name: 'Due next' }).waitFor();
    await page.context().setOffline(true);
    await page.evaluate("dispatchEvent(new Event('online'))");
    await page.getByText('pao does not answer. What you see is from').waitFor();
    expect(await page.getByRole('heading', { name: 'Due next' }).isVisible()).toBe(true);
    await page.context().setOffline(false);
    await page.locator('#trouble').waitFor({ state: 'hidden' });
    await page.close();
  });

  test('a page of another place gets nothing out of it: no frame, no script, no answer; a link to it works', async () => {
    const other = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<iframe src="${pao.url}/"></iframe><a href="${pao.url}/#approval=apr_1">answer</a>`);
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      // By its name it is another site than 127.0.0.1.
      await page.goto(`http://localhost:${(other.address() as AddressInfo).port}/`);
      const asked = await page.evaluate(async (url) => {
        const ask = async (path: string, init?: RequestInit) => {
          try {
            const { type, status } = await fetch(url + path, init);
            return `${type} ${status}`;
          } catch {
            return 'refused';
          }
        };
        return [await ask('/v1/health'), await ask('/'), await ask('/v1/runs', { mode: 'no-cors' })];
      }, pao.url);
      expect(asked).toEqual(['refused', 'refused', 'opaque 0']);
      const frame = page.frames().find((one) => one !== page.mainFrame());
      expect(
        await frame
          ?.locator('script')
          .count()
          .catch(() => 0),
      ).toBe(0);
      await page.getByRole('link', { name: 'answer' }).click();
      await page.getByLabel('Token').waitFor();
      expect(page.url()).toBe(`${pao.url}/#approval=apr_1`);
    } finally {
      await context.close();
      await new Promise((resolve) => other.close(resolve));
    }
  });

  test('nothing broke the policy of the page, and no script of it failed', () => {
    expect(complaints).toEqual([]);
  });
});
