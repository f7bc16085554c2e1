import { writeBriefingTask } from './briefing.js';
import * as everyday from './everyday.js';

/** A task that people start with. */
export interface TaskTemplate {
  /** Name of its file, without `.yaml`, and of `pao init NAME`. */
  name: string;
  /** Name of the task it makes. */
  task: string;
  /** @param timezone IANA zone, written out, because a schedule has no hidden default zone. */
  write(timezone: string): string;
}

/** The tasks that `pao init` offers, in the order people ask for them. */
export const TEMPLATES: readonly TaskTemplate[] = [
  { name: 'briefing', task: 'morning-briefing', write: writeBriefingTask },
  { name: 'follow-ups', task: 'follow-ups', write: everyday.writeFollowUps },
  { name: 'inbox-triage', task: 'inbox-triage', write: everyday.writeInboxTriage },
  { name: 'site-watch', task: 'site-watch', write: everyday.writeSiteWatch },
  { name: 'ci-watch', task: 'ci-watch', write: everyday.writeCiWatch },
  { name: 'weekly-review', task: 'weekly-review', write: everyday.writeWeeklyReview },
  { name: 'backup-check', task: 'backup-check', write: everyday.writeBackupCheck },
  { name: 'failure-digest', task: 'failure-digest', write: everyday.writeFailureDigest },
];
