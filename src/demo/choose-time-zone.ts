import { EXIT, PaoError } from '../domain/errors.js';
import { isTimeZone } from '../domain/recurrence/time-zone.js';

/**
 * The zone a schedule is written with: the one that was asked for, else the one of this machine.
 * @throws PaoError PAO_TIMEZONE_UNKNOWN (exit 2) when it is no IANA zone.
 */
export function chooseTimeZone(asked: string | undefined): string {
  const zone = asked ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (isTimeZone(zone)) return zone;
  throw new PaoError(
    'PAO_TIMEZONE_UNKNOWN',
    asked === undefined
      ? 'This machine does not say which time zone it is in.'
      : `"${asked.slice(0, 60)}" is not a time zone.`,
    { exitCode: EXIT.usage, hints: ['Name one, for example: --timezone Europe/Chisinau'] },
  );
}
