import { EXIT } from '../domain/errors.js';

/** What each exit code means, for `pao help exit-codes`. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'it worked; every check passed (warnings allowed)'],
  [EXIT.failed, 'a check failed, or the operation failed'],
  [EXIT.usage, 'wrong usage, or invalid input or configuration; nothing was changed'],
  [EXIT.unavailable, 'something we need is not there: server not reachable, port busy, disk full'],
  [EXIT.forbidden, 'not authenticated, or not permitted'],
  [EXIT.notFound, 'not found'],
  [EXIT.bug, 'a bug in pao; PAO_DEBUG=1 shows where'],
  [EXIT.timeout, 'timed out'],
  [EXIT.interrupted, 'interrupted (Ctrl-C)'],
  [EXIT.terminated, 'terminated'],
];
