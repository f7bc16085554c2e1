import { join } from 'node:path';
import { backupFolder, backupName, makeBackup } from '../../server/maintenance/backup.js';
import type { DoctorContext, Fix } from './context.js';

/** What became of a {@link Fix}; keys as in the JSON document. */
export interface AppliedFix {
  check: string;
  what: string;
  status: 'done' | 'failed';
  error: string | null;
}

/**
 * Puts right what can be. Before anything touches the database it is backed up; when that fails, nothing touches it.
 * @param say told what was done, as it is done.
 */
export async function applyFixes(
  context: DoctorContext,
  signal: AbortSignal,
  say: (fix: AppliedFix) => void,
): Promise<{ fixes: AppliedFix[]; backup: string | null }> {
  // A database that is open for looking would be in the way.
  await context.close();
  const fixes: AppliedFix[] = [];
  let backup: string | null = null;
  let noBackup: string | null = null;
  if (context.fixes.some(({ touchesDatabase }) => touchesDatabase)) {
    const { home, now } = context.place;
    try {
      const url = await context.databaseUrl();
      const file = join(backupFolder(home), backupName(now(), url));
      await makeBackup({ url, file, now: now(), replace: true, signal });
      backup = file;
    } catch (error) {
      signal.throwIfAborted();
      noBackup = `There could be no backup first: ${words(error)}`;
    }
  }
  for (const fix of context.fixes) {
    signal.throwIfAborted();
    const applied = fix.touchesDatabase && noBackup !== null ? failed(fix, noBackup) : await apply(fix);
    fixes.push(applied);
    say(applied);
  }
  return { fixes, backup };
}

async function apply(fix: Fix): Promise<AppliedFix> {
  try {
    await fix.run();
    return { check: fix.check, what: fix.what, status: 'done', error: null };
  } catch (error) {
    return failed(fix, words(error));
  }
}

const failed = ({ check, what }: Fix, error: string): AppliedFix => ({
  check,
  what,
  status: 'failed',
  error,
});

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
