import type { PaoClient } from '../../client/pao-client.js';
import { findId } from './id-find.js';

/** The id of an event: as it was given, of the latest, or the one that begins so. */
export const findEventId = (client: PaoClient, text: string, signal: AbortSignal): Promise<string> =>
  findId(text, {
    prefix: 'evt',
    word: 'event',
    listedBy: 'pao event tail --since 1h',
    list: (page) => client.listEvents({ ...page, signal }),
  });
