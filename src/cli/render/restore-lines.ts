import { counted } from '../../domain/counted.js';
import { formatDuration } from '../../domain/duration.js';
import type { Restored } from '../../server/maintenance/restore.js';
import type { Output } from '../output.js';

const MAX_TASKS = 10;

/** What a restore did, and what becomes of what the backup had still to do. */
export function restoreLines(restored: Restored, location: string, out: Output): void {
  const { backup, lost, leftOver, resumeFrom } = restored;
  const ago = formatDuration(Math.max(0, Date.now() - backup.takenAt));
  out.success(`${location} is as it was ${ago} ago (${new Date(backup.takenAt).toISOString()})`);
  if (restored.replaced !== null) out.note(`What was there is kept: ${restored.replaced}`);
  if (lost !== null && lost.runs + lost.tasks + lost.events > 0) {
    out.warn(
      `Written after the backup, and in the kept file alone: ${counted(lost.runs, 'run')}, ${counted(lost.tasks, 'changed task')}, ${counted(lost.events, 'event')}`,
    );
  }
  if (backup.auditBrokenAt !== null)
    out.warn(`The chain of the audit log breaks at entry ${backup.auditBrokenAt} in this backup.`);
  const words = {
    backup: 'will be caught up at the next start, as each task says',
    now: 'were left out; each has a row that says so (reason restored)',
    paused: 'wait: every task is paused',
  }[resumeFrom];
  if (leftOver.tasks.length > 0) {
    out.line(`${counted(leftOver.tasks.length, 'task')} came due since; their occurrences ${words}`);
    out.table(leftOver.tasks.slice(0, MAX_TASKS), [
      { header: 'TASK', value: ({ name }) => name, shrink: true },
      { header: 'DUE SINCE', value: ({ dueSince }) => new Date(dueSince).toISOString() },
      { header: 'TO RUN', value: ({ wouldRun }) => wouldRun, align: 'right' },
      { header: 'TO MISS', value: ({ wouldMiss }) => wouldMiss, align: 'right' },
    ]);
    if (leftOver.tasks.length > MAX_TASKS) out.line(`and ${leftOver.tasks.length - MAX_TASKS} more`);
  }
  if (leftOver.runs > 0) {
    const fate = resumeFrom === 'backup' ? 'go on at the next start' : 'were canceled: pao run replay ID';
    out.line(`${counted(leftOver.runs, 'run')} that had not ended ${fate}`);
  }
  if (resumeFrom === 'paused') {
    out.note(`Paused: ${counted(restored.pausedTasks, 'task')}.`);
    out.hint('pao task resume NAME');
  }
  out.hint('pao start local');
}
