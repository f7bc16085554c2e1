import type { ListPage, RunObject } from '../client/api-objects.js';
import { formatDuration } from '../domain/duration.js';
import { Refused, type Part, type Refusal, Unreachable } from './api.js';
import { byId, type Child, h } from './dom.js';
import { timeOf } from './time.js';
import { reasonWords, type Tone, toneOf } from './words.js';

/** A status as a word with its colour. */
export const chip = (status: string, tone: Tone = toneOf(status)): HTMLElement =>
  h('span', { class: `chip ${tone}` }, status);

/** One line of a list that leads somewhere. */
export function row(line: {
  href?: string;
  mark?: Tone;
  title: Child;
  detail?: Child;
  side?: Child;
}): HTMLElement {
  const inner = [
    h('span', { class: `dot ${line.mark ?? 'none'}`, 'aria-hidden': true }),
    h(
      'span',
      { class: 'what' },
      h('span', { class: 'title' }, line.title),
      line.detail ? h('span', { class: 'detail' }, line.detail) : null,
    ),
    h('span', { class: 'side' }, line.side),
  ];
  return h(
    'li',
    null,
    line.href === undefined
      ? h('div', { class: 'row' }, inner)
      : h('a', { class: 'row', href: line.href }, inner),
  );
}

/** A list, or in words that it is empty. */
export const list = (rows: HTMLElement[], empty: string): HTMLElement =>
  rows.length === 0 ? h('p', { class: 'empty' }, empty) : h('ul', { class: 'rows' }, rows);

/** A part of a page under a heading. */
export const section = (title: Child, ...children: Child[]): HTMLElement =>
  h('section', null, h('h2', null, title), ...children);

/** What a part shows, or that this token may not see it. */
export const shown = <T>(part: Part<T>, show: (value: T) => Child): Child =>
  'value' in part ? show(part.value) : h('p', { class: 'empty' }, refusalWords(part.refusal));

/** Why something was not done, for a person. */
export function refusalWords({ status, detail, errors }: Refusal): string {
  if (status === 403) return `This token may not do or see that: ${detail}`;
  const more = errors.map(({ pointer, message }) => `${pointer === '' ? '' : `${pointer} `}${message}`);
  return [detail, ...more].join(' ');
}

/** Any error in words. */
export function errorWords(error: unknown): string {
  if (error instanceof Refused) return refusalWords(error.refusal);
  if (error instanceof Unreachable)
    return 'pao does not answer: nothing was done, as far as this page knows.';
  return `Something went wrong in this page: ${error instanceof Error ? error.message : String(error)}`;
}

/** Runs as lines. */
export const runRows = (runs: readonly RunObject[], withTask = true): HTMLElement[] =>
  runs.map((run) => {
    const why = run.error?.message ?? reasonWords(run);
    const took = run.duration_ms === null ? null : formatDuration(run.duration_ms);
    const message = run.delivery == null || run.delivery === 'delivered' ? null : `message ${run.delivery}`;
    return row({
      href: `#run=${run.id}`,
      mark: toneOf(run.status),
      title: [withTask ? run.task_name : timeOf(run.scheduled_for), ' ', chip(run.status)],
      detail: [why, message, took].filter(Boolean).join(' · '),
      side: timeOf(run.started_at ?? run.scheduled_for, withTask ? 'moment' : 'fromNow'),
    });
  });

/** A value as JSON, to be read. */
export const json = (value: unknown): HTMLElement =>
  h('pre', { tabindex: 0 }, typeof value === 'string' ? value : JSON.stringify(value, null, 2));

/** JSON that is there when asked for. */
export const fold = (key: string, title: string, value: unknown): HTMLElement | null =>
  value === null || value === undefined
    ? null
    : h('details', { 'data-key': key }, h('summary', null, title), json(value));

/** Names and values. */
export const facts = (pairs: readonly (readonly [string, Child])[]): HTMLElement =>
  h(
    'dl',
    null,
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== '' && value !== false)
      .map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))),
  );

/** A button that does something with the server, once at a time, and says how it went. */
export function action(
  id: string,
  label: string,
  work: () => Promise<string | null>,
  options: { kind?: 'primary' | 'danger'; disabled?: string | null } = {},
): HTMLButtonElement {
  const button = h(
    'button',
    {
      id,
      type: 'button',
      class: options.kind,
      disabled: options.disabled != null,
      title: options.disabled,
      click: () => void run(),
    },
    label,
  );
  const run = async () => {
    button.disabled = true;
    try {
      const said = await work();
      if (said !== null) say(said);
    } catch (error) {
      say(errorWords(error), true);
    } finally {
      button.disabled = false;
    }
  };
  return button;
}

let saying: ReturnType<typeof setTimeout> | undefined;
let saidAt = '';

/** Tells the person what became of what they did; errors stay longer. */
export function say(text: string, isError = false): void {
  const element = byId('said');
  element.textContent = text;
  element.className = isError ? 'said bad' : 'said';
  element.setAttribute('role', isError ? 'alert' : 'status');
  element.hidden = false;
  saidAt = location.hash;
  clearTimeout(saying);
  saying = setTimeout(() => (element.hidden = true), isError ? 12_000 : 5000);
}

/** Takes away what was said at another place than the one that is shown now. */
export function unsay(): void {
  if (saidAt !== location.hash) byId('said').hidden = true;
}

/**
 * Asks before what cannot be taken back.
 * @param signal of the view that asks: the question goes with it, unanswered.
 * @returns whether the person said yes.
 */
export function confirmed(question: string, yes: string, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const leave = () => dialog.close('');
    const dialog = h(
      'dialog',
      {
        'aria-label': question,
        close: () => {
          signal.removeEventListener('abort', leave);
          dialog.remove();
          resolve(dialog.returnValue === 'yes' && !signal.aborted);
        },
      },
      h('p', null, question),
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', class: 'danger', click: () => dialog.close('yes') }, yes),
        h('button', { type: 'button', click: leave }, 'Keep it'),
      ),
    );
    signal.addEventListener('abort', leave);
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Says that there is more than is shown. */
export const more = (page: ListPage<unknown>, words: string): Child =>
  page.next_cursor === null ? null : h('p', { class: 'empty' }, words);
