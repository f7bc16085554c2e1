import { type Child, h } from './dom.js';
import { isFlat } from './show-data.js';

/** What was made of the data, or that it is nothing yet. */
export type Edited = { ok: true; data: unknown } | { ok: false };

/** Lets a person change what is to be approved: field by field where it is that simple, as JSON otherwise. */
export interface DataEditor {
  element: HTMLElement;
  /** Changes between fields and JSON; there where both are possible, while it is shown. */
  toggle: HTMLElement;
  read(): Edited;
  /** Begins anew with what was asked. */
  reset(): void;
  focus(): void;
}

/** @param onChange told after each change, also one that can not be read. */
export function dataEditor(data: unknown, onChange: (edited: Edited) => void): DataEditor {
  const problem = h('p', { id: 'data-problem', class: 'problem', role: 'alert', hidden: true });
  const element = h('div', { hidden: true });
  let form: { read(): unknown; focus(): void };
  let isJson = !isFlat(data);

  const read = (): Edited => {
    try {
      const value = form.read();
      problem.hidden = true;
      return { ok: true, data: value };
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error);
      problem.hidden = false;
      return { ok: false };
    }
  };
  const changed = () => onChange(read());
  const turn = () => {
    const edited = read();
    if (!edited.ok || !isFlat(edited.data)) return;
    isJson = !isJson;
    show(edited.data);
    form.focus();
  };
  const toggle = h('button', { type: 'button', class: 'quiet', hidden: true, click: turn });
  const show = (value: unknown) => {
    const { body, ...rest } = isJson ? asJson(value, changed) : asFields(value as object, changed);
    form = rest;
    toggle.textContent = isJson ? 'As fields' : 'As JSON';
    element.replaceChildren(h('div', null, body, problem));
    changed();
  };
  show(data);
  return {
    element,
    toggle,
    read,
    reset: () => show(data),
    focus: () => form.focus(),
  };
}

interface Form {
  body: Child;
  read(): unknown;
  focus(): void;
}

function area(id: string, text: string, changed: () => void, isCode: boolean): HTMLTextAreaElement {
  const element = h('textarea', {
    id,
    rows: Math.min(16, text.split('\n').length + (isCode ? 1 : Math.floor(text.length / 60))),
    class: isCode ? 'code' : null,
    spellcheck: String(!isCode),
    autocapitalize: isCode ? 'off' : 'sentences',
    'aria-describedby': 'data-problem',
    input: changed,
  });
  element.value = text;
  return element;
}

function asJson(value: unknown, changed: () => void): Form {
  const editor = area('data', JSON.stringify(value, null, 2), changed, true);
  return {
    body: [h('label', { for: 'data' }, 'What is approved, as JSON'), editor],
    focus: () => editor.focus(),
    read: () => parse(editor, 'This is not JSON yet'),
  };
}

/** Texts are written as they are; what is a number, yes or no, or nothing stays one. */
function asFields(value: object, changed: () => void): Form {
  const fields = Object.entries(value).map(([name, one], index) => {
    const id = `data-${index}`;
    const editor = area(
      id,
      typeof one === 'string' ? one : JSON.stringify(one),
      changed,
      typeof one !== 'string',
    );
    const read = () => {
      if (typeof one === 'string') return editor.value;
      const written = parse(editor, `${name} is none yet`);
      if (one === null || typeof written === typeof one) return written;
      throw wrong(editor, `${name} was a ${typeof one}, and must stay one`);
    };
    return { editor, read, name, body: [h('label', { for: id }, name), editor] };
  });
  return {
    body: fields.map(({ body }) => body),
    focus: () => fields[0]?.editor.focus(),
    read: () => Object.fromEntries(fields.map(({ name, read }) => [name, read()])),
  };
}

function parse(editor: HTMLTextAreaElement, what: string): unknown {
  try {
    const value: unknown = JSON.parse(editor.value);
    editor.removeAttribute('aria-invalid');
    return value;
  } catch (error) {
    throw wrong(editor, `${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function wrong(editor: HTMLTextAreaElement, words: string): Error {
  editor.setAttribute('aria-invalid', 'true');
  return new Error(words);
}
