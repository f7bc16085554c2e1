import { Refused, Unreachable } from './api.js';
import { byId, h, refill } from './dom.js';
import type { SignedIn } from './sign-in.js';
import { inText } from './time.js';
import { errorWords } from './ui.js';
import type { Context, View } from './view.js';

/** Waits between looks while nobody answers, milliseconds. */
const RETRY_MS = [2000, 5000, 10_000];

/**
 * Shows a view and keeps it fresh: it looks again every few seconds, only while somebody looks at the page, and shows what
 * is new. When nobody answers it says so, leaves what it knows, and tries again.
 * @param onSignedOut called when the token is good no more.
 * @param refresh called when the person did something: what is shown, here and around, is not so any more.
 * @returns looks again, at once.
 */
export function showView<Data>(
  view: View<Data>,
  place: { name: string; params: URLSearchParams },
  { api, me }: SignedIn,
  signal: AbortSignal,
  onSignedOut: () => void,
  refresh: () => void,
): () => void {
  const main = byId('main');
  let timer: ReturnType<typeof setTimeout> | undefined;
  let shown = '';
  let failures = 0;
  let lastAt: string | null = null;
  let isLooking = false;
  let again = false;
  const context: Context = { api, me, ...place, signal, refresh };

  const look = async () => {
    again = isLooking;
    if (isLooking) return;
    isLooking = true;
    clearTimeout(timer);
    let wait: number;
    try {
      const data = await view.load(context);
      if (signal.aborted) return;
      wait = view.every(data);
      show(data);
      failures = 0;
      lastAt = new Date().toISOString();
      say(null);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.refusal.status === 401) return onSignedOut();
      if (error instanceof Refused && error.refusal.status < 429) return refuse(error);
      wait = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)] as number;
      const since = lastAt === null ? '' : ` What you see is from ${inText(lastAt)}.`;
      say(
        error instanceof Unreachable
          ? `pao does not answer.${since} Trying again…`
          : `${errorWords(error)}${since} Trying again…`,
      );
    } finally {
      isLooking = false;
    }
    if (again) void look();
    else if (!document.hidden) timer = setTimeout(() => void look(), wait);
  };

  const show = (data: Data) => {
    main.removeAttribute('aria-busy');
    const fingerprint = JSON.stringify(data);
    if (fingerprint === shown) return;
    const isFirst = shown === '';
    shown = fingerprint;
    document.title = `${view.title(data, context)} · pao`;
    refill(main, view.render(data, context));
    if (isFirst) {
      scrollTo(0, 0);
      // Who reads with the ears hears where they are; nobody else sees a difference.
      main.focus({ preventScroll: true });
    }
  };

  const refuse = (error: Refused) => {
    main.removeAttribute('aria-busy');
    shown = '';
    const isAway = error.refusal.status === 404;
    refill(main, [
      h('h1', null, isAway ? 'That is not here' : 'Not for this token'),
      h('p', null, errorWords(error)),
      h('p', null, h('a', { href: '#now' }, 'Back to what is now')),
    ]);
    say(null);
  };

  const onVisible = () => {
    if (document.hidden) clearTimeout(timer);
    else void look();
  };
  document.addEventListener('visibilitychange', onVisible, { signal });
  addEventListener('online', onVisible, { signal });
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    say(null);
  });
  main.setAttribute('aria-busy', 'true');
  void look();
  return () => void look();
}

/** The bar that tells of trouble with the server; null takes it away. */
function say(trouble: string | null): void {
  const bar = byId('trouble');
  if (bar.textContent !== (trouble ?? '')) bar.textContent = trouble ?? '';
  bar.hidden = trouble === null;
}
