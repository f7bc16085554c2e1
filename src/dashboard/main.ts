import type { ApprovalObject, ListPage } from '../client/api-objects.js';
import { Refused } from './api.js';
import { byId, h, refill } from './dom.js';
import { session, takeToken } from './session.js';
import { showView } from './show-view.js';
import { endOwnToken, type SignedIn, signIn, signOut } from './sign-in.js';
import { tickTimes, ZONE } from './time.js';
import { errorWords, say, unsay } from './ui.js';
import type { View } from './view.js';
import { agendaView } from './views/agenda.js';
import { approvalView } from './views/approval.js';
import { approvalsView } from './views/approvals.js';
import { nowView } from './views/now.js';
import { runView } from './views/run.js';
import { runsView } from './views/runs.js';
import { signInForm } from './views/sign-in.js';
import { spendView } from './views/spend.js';
import { taskView } from './views/task.js';
import { tasksView } from './views/tasks.js';

const MENU = [
  ['now', 'Now'],
  ['agenda', 'Agenda'],
  ['tasks', 'Tasks'],
  ['runs', 'Runs'],
  ['approvals', 'Approvals'],
  ['spend', 'Spend'],
] as const;

const VIEWS: Record<string, View<never>> = {
  now: nowView,
  agenda: agendaView,
  tasks: tasksView,
  task: taskView,
  runs: runsView,
  run: runView,
  approvals: approvalsView,
  approval: approvalView,
  spend: spendView,
} satisfies Record<string, unknown> as never;

const BADGE_EVERY_MS = 15_000;
let who: SignedIn | null = null;
let left = new AbortController();
let lookAgain: () => void = () => undefined;

/** What the address asks for: `#now`, `#run=ID`, `#runs&status=failed`. */
function place(): { view: View<never>; name: string; params: URLSearchParams } {
  const params = new URLSearchParams(location.hash.slice(1));
  const [key, name] = [...params][0] ?? ['now', ''];
  return { view: VIEWS[key] ?? (nowView as View<never>), name, params };
}

function route(): void {
  left.abort();
  left = new AbortController();
  unsay();
  if (who === null) return askForToken(null);
  const { view, ...rest } = place();
  for (const link of document.querySelectorAll('#nav a')) {
    if (link.getAttribute('href') === `#${view.menu}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const onSignedOut = () => {
    session.forget();
    who = null;
    askForToken('Your token is good no more: it has expired or was revoked.');
  };
  lookAgain = showView(view, rest, who, left.signal, onSignedOut, () => {
    lookAgain();
    void countOpen();
  });
}

function askForToken(why: string | null): void {
  left.abort();
  unsay();
  byId('header').hidden = true;
  document.title = 'Sign in · pao';
  refill(
    byId('main'),
    signInForm(why, place().view.menu === 'approvals', async (token) => enter(await signIn(token))),
  );
  byId('main').removeAttribute('aria-busy');
  byId('token').focus();
}

function enter(signedIn: SignedIn): void {
  who = signedIn;
  byId('header').hidden = false;
  byId('sign-out').title = `Signed in as ${signedIn.me.agent.name}`;
  void countOpen();
  route();
}

/** How many questions wait, beside the menu. */
async function countOpen(): Promise<void> {
  if (who === null || document.hidden || !who.me.may('runs:read')) return;
  const badge = byId('badge');
  try {
    const { items } = await who.api.get<ListPage<ApprovalObject>>('v1/approvals?limit=100');
    const open = items.filter(({ state }) => state === 'pending').length;
    badge.textContent = open === 0 ? '' : String(open);
    badge.setAttribute('aria-label', open === 0 ? '' : `${open} open`);
  } catch {
    // The view that is shown says what is wrong.
  }
}

async function begin(): Promise<void> {
  refill(
    byId('nav'),
    MENU.map(([key, name]) =>
      h('a', { href: `#${key}` }, name, key === 'approvals' && h('span', { id: 'badge', class: 'badge' })),
    ),
  );
  refill(byId('footer'), [h('span', null, `Times are in ${ZONE}. `), h('a', { href: 'docs' }, 'API')]);
  byId('sign-out').addEventListener('click', () => {
    const leaving = who;
    who = null;
    if (leaving !== null) void signOut(leaving);
    askForToken(null);
  });
  byId('skip').addEventListener('click', (event) => {
    event.preventDefault();
    byId('main').focus();
  });
  addEventListener('hashchange', () => {
    const token = takeToken();
    if (token === null) return route();
    // A question about what was shown must not wait for the sign-in.
    left.abort();
    void comeIn(token);
  });
  setInterval(tickTimes, 5000);
  setInterval(() => void countOpen(), BADGE_EVERY_MS);
  document.addEventListener('visibilitychange', () => void countOpen());
  const token = takeToken() ?? session.token;
  if (token === null) askForToken(null);
  else await comeIn(token);
}

/** With a token that was handed over or kept; what the address asks for waits until it is good. */
async function comeIn(token: string): Promise<void> {
  const before = who;
  try {
    enter(await signIn(token));
    if (before !== null && before.me.tokenId !== who?.me.tokenId) void endOwnToken(before);
  } catch (error) {
    const kept = session.token;
    if (kept !== null && kept !== token) {
      // A link that is used up ends no session.
      await comeIn(kept);
      if (who !== null) say(`${words(error)} You are still signed in.`, true);
      return;
    }
    if (isRefused(error)) session.forget();
    who = null;
    askForToken(words(error));
  }
}

const isRefused = (error: unknown) => error instanceof Refused && error.refusal.status === 401;
const words = (error: unknown) =>
  isRefused(error)
    ? 'That link or token is good no more: it was used, has expired or was revoked.'
    : errorWords(error);

void begin();
