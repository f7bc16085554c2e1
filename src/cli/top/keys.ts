import type { Key } from 'ink';
import type { TopActions } from './actions.js';
import { wordsOf } from './actions.js';
import type { Mode, TopStore } from './state.js';

/** The keys, as `?` lists them. */
export const KEYS: readonly (readonly [key: string, what: string])[] = [
  ['up down, k j', 'select'],
  ['Tab, Shift-Tab', 'next section, section before'],
  ['PgUp PgDn, g G', 'far up and down, first and last'],
  ['Enter', 'details of what is selected; Esc or q leaves them'],
  ['p', 'pause or resume the task'],
  ['r', 'run the task now'],
  ['a', 'approve or deny what waits for a person'],
  ['/', 'show only what has this in it; Esc shows all again'],
  ['Space', 'look again now'],
  ['Ctrl-Z', 'stop for a while; fg goes on'],
  ['q, Ctrl-C', 'quit'],
];

const FAR = 10;
const LAST = 1_000_000;

/** Keys one by one: those that were pressed fast, or came over a slow line, reach Ink together. */
export function single(input: string, key: Key): [input: string, key: Key][] {
  if (input.length < 2 || key.ctrl || key.meta || key.escape) return [[input, key]];
  return [...input].map((one) =>
    one === '\r' || one === '\n' ? ['', { ...key, return: true }] : [one, key],
  );
}

/** Does what a key says. @param pageRows how many lines of details stand on the screen at once. */
export function handleKey(
  store: TopStore,
  actions: TopActions,
  input: string,
  key: Key,
  pageRows: number,
): void {
  if (key.ctrl && input === 'c') return actions.quit();
  if (key.ctrl && input === 'z') return actions.suspend();
  const { mode } = store.state;
  if (mode.kind === 'question') {
    const by = mode.question.about === undefined ? 0 : stepOf('', key, pageRows);
    if (by !== 0) return store.change({ mode: { ...mode, scroll: Math.max(0, mode.scroll + by) } });
    return answer(store, actions, mode, input);
  }
  if (mode.kind === 'filter') return typeFilter(store, input, key);
  if (mode.kind === 'help') return store.change({ mode: { kind: 'list' } });
  const step = stepOf(input, key, mode.kind === 'details' ? pageRows : FAR);
  if (mode.kind === 'details') {
    if (key.escape || key.return || input === 'q') return store.change({ mode: { kind: 'list' } });
    if (step !== 0) return store.change({ mode: { ...mode, scroll: Math.max(0, mode.scroll + step) } });
  } else {
    if (step !== 0) return store.move(step);
    if (key.tab) return store.moveSection(key.shift ? -1 : 1);
    if (key.rightArrow || input === 'l') return store.moveSection(1);
    if (key.leftArrow || input === 'h') return store.moveSection(-1);
    if (key.escape) return store.change({ filter: '', notice: null });
    if (key.return) return actions.showDetails();
    if (input === 'q') return actions.quit();
    if (input === '/') return store.change({ mode: { kind: 'filter' }, filter: '', notice: null });
  }
  if (input === '?') return store.change({ mode: { kind: 'help' }, notice: null });
  if (input === 'p') return actions.togglePause();
  if (input === 'r') return actions.runNow();
  if (input === 'a') return actions.decide();
  if (input === ' ') actions.refresh();
}

function stepOf(input: string, key: Key, far: number): number {
  if (key.upArrow || input === 'k') return -1;
  if (key.downArrow || input === 'j') return 1;
  if (key.pageUp) return -far;
  if (key.pageDown) return far;
  if (key.home || input === 'g') return -LAST;
  return key.end || input === 'G' ? LAST : 0;
}

function answer(
  store: TopStore,
  actions: TopActions,
  mode: Extract<Mode, { kind: 'question' }>,
  input: string,
): void {
  const chosen = mode.question.answers.find(({ key }) => key === input.toLowerCase());
  if (chosen === undefined) {
    store.change({ mode: mode.before, notice: { tone: 'plain', text: 'Nothing was done.' } });
    return;
  }
  store.change({ mode: mode.before, notice: { tone: 'plain', text: 'Asking the server' } });
  chosen.act().then(
    (text) => {
      store.change({ mode: { kind: 'list' }, notice: { tone: 'good', text } });
      actions.refresh();
    },
    (error: unknown) => store.change({ notice: { tone: 'bad', text: wordsOf(error) } }),
  );
}

function typeFilter(store: TopStore, input: string, key: Key): void {
  const { filter } = store.state;
  if (key.escape) return store.change({ filter: '', mode: { kind: 'list' } });
  if (key.return) return store.change({ mode: { kind: 'list' } });
  if (key.backspace || key.delete) return store.change({ filter: filter.slice(0, -1) });
  if (key.ctrl || key.meta || input === '') return;
  // oxlint-disable-next-line no-control-regex -- what is pasted may hold them
  store.change({ filter: `${filter}${input.replace(/[\u0000-\u001f\u007f]/g, '')}`.slice(0, 80) });
}
