import { oneProblem, quote } from './schedule-problem.js';

const MAX_LENGTH = 200;

/**
 * Turns English such as `every weekday at 9` or `every 2 weeks on Monday` into an RRULE, by the `rrule` library.
 * The result is only a proposal: compile it and show {@link describe}'s words before it is used.
 * @throws PaoError PAO_SCHEDULE_INVALID when the text is not understood.
 */
export async function ruleFromText(text: string): Promise<string> {
  const refused = oneProblem(
    '/expr',
    `${quote(text)} is not understood as a schedule.`,
    'Write it like "every weekday at 9", "every 2 weeks on Monday", or as an RRULE.',
  );
  if (text.length > MAX_LENGTH || !/^[A-Za-z0-9 ,:]+$/.test(text.trim())) throw refused;
  // Loaded here because nothing else needs it, and by its default export because it has no named ones for ESM.
  const { default: library } = await import('rrule');
  let options: Partial<Record<string, unknown>> | null;
  try {
    options = library.RRule.parseText(text.trim().toLowerCase()) as Record<string, unknown> | null;
  } catch {
    throw refused;
  }
  if (!options || options.freq === undefined) throw refused;
  const { byhour, byminute, ...rest } = options;
  const timed = byhour === undefined ? {} : { byhour, byminute: byminute ?? 0, bysecond: 0 };
  const written = library.RRule.optionsToString({ ...rest, ...timed } as never);
  return written.replace(/^RRULE:/, '').replace(/UNTIL=([0-9]{8}T[0-9]{6})(?!Z)/, 'UNTIL=$1Z');
}
