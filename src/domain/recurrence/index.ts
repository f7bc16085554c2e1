/** Cron, RRULE and one-time schedules to instants, under a policy for clock changes; pure and free of side effects. */
export { type BusinessDaysSpec } from './business-days.js';
export { defaultStart, type RecurrenceSpec } from './compile.js';
export { type DayMatch } from './cron-rule.js';
export { cronSecondOpinion } from './cron-second-opinion.js';
export { everyInterval } from './interval.js';
export { ruleFromText } from './natural-language.js';
export { portableRule, zoneTransitions } from './portable-rule.js';
export { compileRecurrence, MAX_TAKE, type Recurrence } from './recurrence.js';
export { type DstPolicy } from './rrule-source.js';
export { canonicalTimeZone, isTimeZone, timeZoneDatabaseVersion } from './time-zone.js';
export {
  describe,
  nextOccurrences,
  type OccurrencesQuery,
  type ShownOccurrence,
  type TimeInput,
  validate,
  type Verdict,
} from './validate.js';
export {
  type FoldPolicy,
  type GapPolicy,
  type LocalParts,
  localParts,
  type WallTime,
  wallToInstant,
} from './wall-time.js';
export { type ScheduleWarning, type WarningOptions } from './warnings.js';
export { formatInZone, isoInstant, type ZoneStyle } from './zone-format.js';
