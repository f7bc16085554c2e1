import { type Check, CheckWarning } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { until } from '../until.js';
import { footprintOf } from './footprint.js';
import type { World } from './world.js';

const group = 'Resources';
/** Open files a process may have more than at the start: a log that was rotated, a file that is just being read. */
const FILES_MORE = 5;
/** Growth of one process that a person should look at. */
const MEMORY_MORE_MIB = 300;

/** What all the other checks left behind; they run before it. */
export const resourceChecks: Check<World>[] = [
  {
    id: 'resources.released',
    title: 'No process, file or temporary file is left over from the work',
    group,
    requires: ['ephemeral-server'],
    isExclusive: true,
    async run({ own, footprint: before, patienceMs }, tools) {
      ensure(own && before, 'There is no system of its own.', tools.rerun);
      // Servers that tools were called on are let go when they have been idle.
      const after = await until(
        'the processes to be as many as at the start',
        () => {
          const now = footprintOf(own);
          return now.processes <= before.processes ? now : null;
        },
        {
          signal: tools.signal,
          timeoutMs: patienceMs,
          hint: tools.rerun,
          seen: () => ({ before, after: footprintOf(own) }),
        },
      );
      const evidence = { before, after };
      const leaking = Object.entries(after.files).filter(
        ([place, count]) => count > (before.files[place] ?? 0) + FILES_MORE,
      );
      ensure(
        leaking.length === 0,
        `Files stay open: ${leaking.map(([place, count]) => `${place} has ${count}, had ${before.files[place] ?? 0}`).join('; ')}.`,
        tools.rerun,
        evidence,
      );
      ensureEqual('The temporary files', after.temporary, before.temporary, tools.rerun, evidence);
      const grown = Object.entries(after.memory_mib).filter(
        ([place, mib]) => mib > (before.memory_mib[place] ?? mib) + MEMORY_MORE_MIB,
      );
      if (grown.length > 0) {
        const words = grown.map(([place, mib]) => `${place} from ${before.memory_mib[place]} to ${mib} MiB`);
        throw new CheckWarning(`Memory grew: ${words.join(', ')}.`, tools.rerun, evidence);
      }
      return evidence;
    },
  },
];
