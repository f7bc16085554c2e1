import { counted } from '../../domain/counted.js';
import type { Output } from '../output.js';
import { personalTime } from './personal-time.js';
import type { SimulationDocument } from './simulation.js';

type Message = SimulationDocument['messages'][0];

/** Messages that do not go out at once: when they are said, and when they go out; those of a step that go out together are one row. */
export function showHeldMessages(messages: readonly Message[], out: Output, limit: number): void {
  const groups = new Map<string, [Message, ...Message[]]>();
  for (const one of messages) {
    if (one.status === 'pending') continue;
    // What is not sent at all has no time to be gathered by.
    const key = JSON.stringify([one.task, one.step, one.channel, one.status, one.reason, one.sent_local]);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [one]);
    else known.push(one);
  }
  if (groups.size === 0) return;
  out.line();
  out.table([...groups.values()].slice(0, limit), [
    { header: 'MESSAGE OF', value: ([{ task, step }]) => `${task}${step === null ? '' : `, ${step}`}` },
    { header: 'TO', value: ([{ channel }]) => channel },
    { header: 'SAID', value: saidWords },
    {
      header: 'GOES OUT',
      value: ([{ status, reason, sent_local: at }]) =>
        at === null ? `${status} (${reason ?? ''})` : `${personalTime(at)} (${reason ?? status})`,
    },
  ]);
  if (groups.size > limit)
    out.line(`${counted(groups.size - limit, 'more row')} of messages: --limit ${groups.size}, or --json`);
}

function saidWords(group: readonly [Message, ...Message[]]): string {
  const first = personalTime(group[0].written_local);
  if (group.length === 1) return first;
  return `${group.length} messages, ${first} … ${personalTime((group.at(-1) ?? group[0]).written_local)}`;
}
