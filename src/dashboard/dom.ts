/** What an element may hold; text becomes a text node, whatever it looks like. */
export type Child = Node | string | number | null | undefined | false | readonly Child[];

/** Attributes, and listeners by the name of their event. */
export interface Attributes {
  [name: string]: string | number | boolean | null | undefined | ((event: Event) => void);
}

/** Links lead to places of this page, to pages of this server, or nowhere. */
const SAFE_LINK = /^(#|docs$|openapi\.json$)/;

/**
 * Makes an element. There is no way to hand in HTML: what comes from tools and people is text.
 * @throws Error for a link that leads out of this server: it would be one of somebody's data.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes | null,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === null || value === undefined || value === false) continue;
    else if (name === 'href' && !SAFE_LINK.test(String(value))) throw new Error(`No link to ${value}.`);
    else element.setAttribute(name, value === true && !name.startsWith('aria-') ? '' : String(value));
  }
  append(element, children);
  return element;
}

function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(parent, child);
    else parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Fills an element anew; what had the focus and which details were open stays so (by `id`, link and `data-key`). */
export function refill(element: Element, children: readonly Child[]): void {
  const had = element.contains(document.activeElement) ? (document.activeElement as HTMLElement) : null;
  const open = new Set(
    [...element.querySelectorAll<HTMLElement>('details[open][data-key]')].map((one) => one.dataset['key']),
  );
  const fragment = document.createDocumentFragment();
  append(fragment, children);
  element.replaceChildren(fragment);
  for (const one of element.querySelectorAll<HTMLDetailsElement>('details[data-key]'))
    if (open.has(one.dataset['key'])) one.open = true;
  if (had !== null) sameAs(had, element)?.focus({ preventScroll: true });
}

function sameAs(had: HTMLElement, element: Element): HTMLElement | null {
  if (had === element) return had;
  if (had.id !== '') return document.getElementById(had.id);
  const link = had.getAttribute('href');
  const key = had.closest('details')?.dataset['key'];
  return (
    [...element.querySelectorAll<HTMLElement>('a, summary')].find((one) =>
      link === null
        ? key !== undefined && one.closest('details')?.dataset['key'] === key
        : one.getAttribute('href') === link,
    ) ?? null
  );
}

/** The element of the page with that id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}
