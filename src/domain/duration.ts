import { PaoError } from './errors.js';

const UNITS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const TERM = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/y;

/**
 * Reads a duration such as `500ms`, `30s`, `5m`, `1h30m`, `2d`.
 * @returns milliseconds, an integer.
 * @throws PaoError PAO_DURATION_INVALID when the text is not a duration.
 */
export function parseDuration(text: string): number {
  const value = tryParseDuration(text);
  if (value === null) {
    throw new PaoError('PAO_DURATION_INVALID', `"${text.slice(0, 40)}" is not a duration.`, {
      exitCode: 2,
      status: 422,
      hints: ['Write a number and a unit: 500ms, 30s, 5m, 1h30m, 2d'],
    });
  }
  return value;
}

/** As {@link parseDuration}, but null instead of an error. */
export function tryParseDuration(text: string): number | null {
  if (text.length === 0 || text.length > 40) return null;
  let at = 0;
  let total = 0;
  while (at < text.length) {
    TERM.lastIndex = at;
    const match = TERM.exec(text);
    if (!match) return null;
    total += Number(match[1]) * (UNITS[match[2] as string] as number);
    at = TERM.lastIndex;
  }
  return Number.isFinite(total) && total <= 100 * 366 * 86_400_000 ? Math.round(total) : null;
}

/** Writes milliseconds as a person would: `850ms`, `4.2s`, `3m 20s`, `2h 5m`, `3d 4h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')}s`;
  const pairs: [number, string, number, string][] = [
    [86_400_000, 'd', 3_600_000, 'h'],
    [3_600_000, 'h', 60_000, 'm'],
    [60_000, 'm', 1000, 's'],
  ];
  for (const [big, bigName, small, smallName] of pairs) {
    if (ms >= big) {
      const rest = Math.floor((ms % big) / small);
      return `${Math.floor(ms / big)}${bigName}${rest > 0 ? ` ${rest}${smallName}` : ''}`;
    }
  }
  return `${ms}ms`;
}
