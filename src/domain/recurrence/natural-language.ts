import { oneProblem, quote } from './schedule-problem.js';

const MAX_LENGTH = 200;
// The library reads a time only in some places and drops it without a word in others, so it is read here.
const AT_THE_END = / at ([0-9]{1,2})(?::([0-9]{2}))? ?(am|pm)?$/;

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
  const words = text.trim().toLowerCase();
  if (words.length > MAX_LENGTH || !/^[a-z0-9 ,:]+$/.test(words)) throw refused;
  const time = AT_THE_END.exec(words);
  const clock = time ? clockOf(time) : '';
  if (clock === null) throw refused;
  // Loaded here because nothing else needs it, and by its default export because it has no named ones for ESM.
  const { default: library } = await import('rrule');
  let options: ReturnType<typeof library.RRule.parseText>;
  try {
    options = library.RRule.parseText(time ? words.slice(0, time.index) : words);
  } catch {
    throw refused;
  }
  if (!options || options.freq === undefined) throw refused;
  const written = library.RRule.optionsToString(options).replace(/^RRULE:/, '');
  return written.replace(/UNTIL=([0-9]{8}T[0-9]{6})(?!Z)/, 'UNTIL=$1Z') + clock;
}

/** BYHOUR and BYMINUTE of a matched {@link AT_THE_END}; null when there is no such time. */
function clockOf(time: RegExpExecArray): string | null {
  const [, hourText, minuteText = '0', half] = time;
  let hour = Number(hourText);
  if (half !== undefined) {
    if (hour < 1 || hour > 12) return null;
    hour = (hour % 12) + (half === 'pm' ? 12 : 0);
  }
  const minute = Number(minuteText);
  return hour > 23 || minute > 59 ? null : `;BYHOUR=${hour};BYMINUTE=${minute};BYSECOND=0`;
}
