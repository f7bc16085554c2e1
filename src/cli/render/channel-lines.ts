import type { ChannelObject } from '../../client/api-objects.js';
import type { Output } from '../output.js';
import type { Column } from '../table.js';
import { visible } from '../visible.js';
import { machineTime } from './task-time.js';

/** Columns of a list of channels. */
export const CHANNEL_COLUMNS: readonly Column<ChannelObject>[] = [
  { header: 'CHANNEL', value: ({ address }) => address },
  { header: 'KIND', value: ({ kind }) => kind },
  { header: 'BUTTONS', value: ({ buttons }) => (buttons ? 'yes' : 'no') },
  {
    header: 'ANSWERS',
    value: ({ buttons, problem }) => (problem !== null ? problem.kind : buttons ? 'ok' : '-'),
  },
];

/** What keeps answers from coming in, and what to do. */
export function sayChannelProblems(channels: readonly ChannelObject[], out: Output): void {
  for (const { name, problem } of channels) {
    if (problem === null) continue;
    out.line();
    out.line(`${out.paint.yellow(name)}, since ${machineTime(problem.since)}: ${visible(problem.message)}`);
    out.hint(visible(problem.hint));
  }
}
