import type { NewTokenObject } from '../../client/api-objects.js';
import type { Output } from '../output.js';
import { machineTime } from './task-time.js';

/**
 * Shows the secret of a new token: alone on stdout, so that `TOKEN=$(pao agent create NAME)` takes just that,
 * and what to know about it on stderr.
 */
export function showNewToken(out: Output, token: NewTokenObject): void {
  const end =
    token.expires_at === null ? 'It does not expire.' : `It expires on ${machineTime(token.expires_at)}.`;
  out.warn(`This token is shown once; only its hash is kept. ${end}`);
  out.line(token.secret);
  out.note('The agent shows it as a Bearer token; commands take it from PAO_TOKEN or --token-file.');
}
