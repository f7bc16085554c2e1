import { cut, EXIT, PaoError } from '../domain/errors.js';

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/**
 * The instant PAO_TEST_CLOCK makes a test system start at.
 * @returns epoch milliseconds, or null for real time.
 * @throws PaoError PAO_TEST_CLOCK_INVALID (exit 2) when it is no RFC 3339 instant.
 */
export function testClockStart(env: Readonly<Record<string, string | undefined>>): number | null {
  const text = env['PAO_TEST_CLOCK'];
  if (text === undefined || text === '') return null;
  const at = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  throw new PaoError('PAO_TEST_CLOCK_INVALID', `PAO_TEST_CLOCK is no RFC 3339 instant: "${cut(text, 40)}".`, {
    exitCode: EXIT.usage,
    hints: ['export PAO_TEST_CLOCK=2024-03-01T07:59:00Z', 'unset PAO_TEST_CLOCK'],
  });
}
