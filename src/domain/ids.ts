import { v7 } from 'uuid';

/** What an id names; the prefix makes an id recognisable in a log. */
export type IdKind =
  | 'agt'
  | 'bud'
  | 'tok'
  | 'tsk'
  | 'run'
  | 'evt'
  | 'apr'
  | 'wrk'
  | 'dlv'
  | 'req'
  | 'pas'
  | 'hok';

/**
 * Makes an id that sorts by time of creation (UUID version 7, RFC 9562), so that new rows land at the end of an index.
 * @param now epoch milliseconds of the creation.
 */
export function newId(kind: IdKind, now: number): string {
  return `${kind}_${v7({ msecs: now }).replaceAll('-', '')}`;
}
