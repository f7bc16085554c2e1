import { expect, test, vi } from 'vitest';
import { NOTHING_SPENT } from '../../../src/domain/budget.js';
import { localDayOf } from '../../../src/domain/pipeline/instants.js';
import { Budgets, type Payer } from '../../../src/server/budget/budgets.js';

vi.mock('../../../src/domain/pipeline/instants.js', async (original) => {
  const actual = await original<{ localDayOf: typeof localDayOf }>();
  return { ...actual, localDayOf: vi.fn(actual.localDayOf) };
});

const NOW = Date.parse('2026-11-24T11:30:00Z');

/** Budgets of agents in Kiritimati (UTC+14), where it is the 25th already; everybody together is in UTC. */
function someBudgets() {
  const asked: string[] = [];
  const getSpent = async (keys: readonly string[]) => {
    asked.push(...keys);
    return new Map(keys.map((key) => [key, { ...NOTHING_SPENT, calls: 1 }]));
  };
  const budgets = new Budgets({
    store: { getSpent },
    clock: { now: () => NOW },
    timezone: 'UTC',
  } as unknown as ConstructorParameters<typeof Budgets>[0]);
  return { budgets, asked };
}
const payersOf = (count: number): Payer[] =>
  Array.from({ length: count }, (_, index) => ({
    runId: null,
    task: { id: `t${index}`, zone: 'America/New_York', budget: undefined },
    agent: { id: 'a', budget: { per_day: {}, timezone: 'Pacific/Kiritimati', on_exceed: 'skip' } },
  }));

test('what was spent is asked for by the days of each zone, both ends in it', async () => {
  const { budgets, asked } = someBudgets();
  const [payer] = payersOf(1) as [Payer];
  // 23:30 of the 22nd in UTC, 18:30 of it in New York, 13:30 of the 23rd in Kiritimati.
  const since = Date.parse('2026-11-22T23:30:00Z');
  const found = await budgets.spentSince([payer], since);
  const days = (...of: number[]) => of.map((day) => `2026-11-${day}`);
  expect(asked.sort()).toEqual([
    ...days(23, 24, 25).map((day) => `agent:a:${day}`),
    ...days(22, 23, 24).map((day) => `all:${day}`),
    ...days(22, 23, 24).map((day) => `task:t0:${day}`),
  ]);
  expect(found.get(payer)?.get('task_day')?.calls).toBe(3);
});

test('the days of a zone are told once, however many pay', async () => {
  const { budgets, asked } = someBudgets();
  const since = NOW - 31 * 86_400_000;
  const callsFor = async (count: number) => {
    vi.mocked(localDayOf).mockClear();
    await budgets.spentSince(payersOf(count), since);
    return vi.mocked(localDayOf).mock.calls.length;
  };
  expect(await callsFor(100)).toBe(await callsFor(1));
  expect(asked.filter((key) => key.startsWith('task:t99:'))).toHaveLength(32);
});
