import type { PaoClient } from '../../client/pao-client.js';
import { findId } from './id-find.js';

/** The id of a message: as it was given, of the latest, or the one that begins so. */
export const findDeliveryId = (client: PaoClient, text: string, signal: AbortSignal): Promise<string> =>
  findId(text, {
    prefix: 'dlv',
    word: 'message',
    listedBy: 'pao delivery list',
    list: (page) => client.listDeliveries({ ...page, signal }),
  });
