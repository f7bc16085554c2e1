import type { Api, Me } from './api.js';
import type { Child } from './dom.js';

/** What a view works with. */
export interface Context {
  api: Api;
  me: Me;
  /** The rest of the address: `#runs&status=failed` has `status`. */
  params: URLSearchParams;
  /** What the address names: `#run=ID` has the id. */
  name: string;
  /** Ends when the person goes elsewhere. */
  signal: AbortSignal;
  /** After something was done: looks again, at once, at what is shown by then and at how many questions wait. */
  refresh(): void;
}

/** One page: asks for what it shows, and shows it. */
export interface View<Data> {
  /** Which entry of the menu it belongs to. */
  menu: string;
  /** How often it looks again while somebody looks at it, milliseconds. */
  every(data: Data): number;
  load(context: Context): Promise<Data>;
  title(data: Data, context: Context): string;
  /** Called when there is something new; a form is not made anew under the hands of a person. */
  render(data: Data, context: Context): Child[];
}

/** While something happens, and while nothing does, milliseconds. */
export const SOON = 5000;
export const LATER = 15_000;
