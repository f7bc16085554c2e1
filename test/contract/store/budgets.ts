import { describe, expect, test } from 'vitest';
import { type BudgetAccount, NANO_USD, NOTHING_SPENT, type Spend } from '../../../src/domain/budget.js';
import { newId } from '../../../src/domain/ids.js';
import type { BudgetReservation } from '../../../src/server/store/store.js';
import { agentOf, leaseAs, runOf, T0, taskOf } from '../fixtures.js';
import type { Subject } from '../store-contract.js';

const spend = (changes: Partial<Spend>): Spend => ({ ...NOTHING_SPENT, ...changes });
const entry = (amount: Partial<Spend>, changes: Partial<BudgetReservation> = {}): BudgetReservation => ({
  id: newId('bud', T0),
  runId: 'run_1',
  taskId: 'tsk_1',
  agentId: 'agt_1',
  stepId: 'plan',
  tool: 'llm.chat',
  model: 'small',
  at: T0,
  amount: spend(amount),
  ...changes,
});
const account = (key: string, limits: BudgetAccount['limits'] = {}): BudgetAccount => ({ key, limits });

export function exerciseBudgets(subject: Subject): void {
  describe('budgets', () => {
    test('what is reserved counts in every account until it is settled, and then what was used does', async () => {
      const { store } = subject();
      const accounts = [account('run:1', { tokens: 1000 }), account('task:1:2026-01-05'), account('all:x')];
      const reserved = entry({ tokens: 800, nanoUsd: 5000, calls: 1 });
      expect(await store.reserveBudget(reserved, accounts)).toBeNull();
      const keys = accounts.map(({ key }) => key);
      expect(await store.getSpent([...keys, 'all:none'])).toEqual(
        new Map([
          ...keys.map((key) => [key, spend({ tokens: 800, nanoUsd: 5000, calls: 1 })] as const),
          ['all:none', NOTHING_SPENT],
        ]),
      );
      const [open] = await store.listBudgetEntries({ runId: 'run_1', limit: 10 });
      expect(open).toMatchObject({ state: 'reserved', estimated: false, accounts: keys, model: 'small' });
      const settlement = {
        id: reserved.id,
        spent: spend({ tokens: 576, nanoUsd: 3000, calls: 1 }),
        inputTokens: 512,
        outputTokens: 64,
        estimated: false,
        now: T0 + 5,
      };
      expect(await store.settleBudget(settlement)).toBe(true);
      expect(await store.settleBudget(settlement)).toBe(false);
      expect(await store.settleBudget({ ...settlement, id: 'bud_none' })).toBe(false);
      expect((await store.getSpent(keys)).get('run:1')).toEqual(
        spend({ tokens: 576, nanoUsd: 3000, calls: 1 }),
      );
      expect(await store.listBudgetEntries({ runId: 'run_1', limit: 10 })).toEqual([
        {
          ...open,
          state: 'settled',
          spent: settlement.spent,
          inputTokens: 512,
          outputTokens: 64,
          settledAt: T0 + 5,
        },
      ]);
      expect(await store.listBudgetEntries({ runId: 'run_2', limit: 10 })).toEqual([]);
    });

    test('one account that is used up refuses for all, names itself, and nothing is written', async () => {
      const { store } = subject();
      const accounts = [account('run:1', { tokens: 5000 }), account('task:1:d', { usd: 0.1, calls: 2 })];
      const tenth = entry({ tokens: 10, nanoUsd: 0.1 * NANO_USD, calls: 1 });
      expect(await store.reserveBudget(tenth, accounts)).toBeNull();
      expect(await store.reserveBudget(entry({ nanoUsd: 1, calls: 1 }), accounts)).toEqual({
        key: 'task:1:d',
        unit: 'usd',
        limit: 0.1,
        used: 0.1,
        wanted: 1 / NANO_USD,
      });
      expect((await store.getSpent(['run:1'])).get('run:1')).toEqual(tenth.amount);
      // What wants nothing of a unit is not refused for it.
      expect(await store.reserveBudget(entry({ calls: 1 }), accounts)).toBeNull();
      expect(await store.reserveBudget(entry({ calls: 1 }), accounts)).toMatchObject({
        unit: 'calls',
        used: 2,
      });
      expect(await store.listBudgetEntries({ runId: 'run_1', limit: 10 })).toHaveLength(2);
    });

    test('the same id is granted once more and counts once: a run that is begun again', async () => {
      const { store } = subject();
      const accounts = [account('task:1:d', { runs: 1 })];
      const start = entry({ runs: 1 }, { id: 'start/run_1', tool: null, model: null, stepId: null });
      expect(await store.reserveBudget(start, accounts, { settled: true })).toBeNull();
      expect(await store.reserveBudget(start, accounts, { settled: true })).toBeNull();
      expect((await store.getSpent(['task:1:d'])).get('task:1:d')).toEqual(spend({ runs: 1 }));
      expect(await store.settleBudget({ ...settled(start.id), now: T0 })).toBe(false);
      expect(await store.reserveBudget({ ...start, id: 'start/run_2' }, accounts)).toMatchObject({
        unit: 'runs',
      });
    });

    test('of many that reserve at once, exactly as many are granted as fit', async () => {
      const fresh = subject();
      const other = await fresh.reopen();
      const stores = [fresh.store, other];
      // Overlapping accounts in different order, as tasks of one agent have them.
      const accounts = (index: number) => {
        const both = [account('agent:1:d', { tokens: 1000 }), account(`task:${index % 3}:d`, {})];
        return index % 2 === 0 ? both : both.reverse();
      };
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          (stores[index % 2] as typeof other).reserveBudget(entry({ tokens: 90, calls: 1 }), accounts(index)),
        ),
      );
      expect(results.filter((result) => result === null)).toHaveLength(11);
      expect((await fresh.store.getSpent(['agent:1:d'])).get('agent:1:d')).toEqual(
        spend({ tokens: 990, calls: 11 }),
      );
    });

    test('the budget of an agent is kept, and comes with every lease', async () => {
      const { store } = subject();
      const agent = agentOf('ana');
      await store.createAgent(agent, null);
      expect((await store.getAgent(agent.id))?.budget).toBeNull();
      const budget = { per_day: { usd: 2, runs: 10 }, on_exceed: 'skip' as const };
      expect(await store.updateAgent({ ...agent, budget })).toBe(true);
      expect((await store.getAgent(agent.id))?.budget).toEqual(budget);
      const task = taskOf(agent);
      await store.createTask(task);
      await store.createRun({ taskId: task.id, run: runOf(), now: T0 });
      expect(await leaseAs(store)).toMatchObject([{ agentBudget: budget }]);
    });

    test('old spending is forgotten with old runs', async () => {
      const { store } = subject();
      const accounts = [account('all:old')];
      await store.reserveBudget(entry({ tokens: 1 }), accounts);
      await store.reserveBudget(entry({ tokens: 1 }, { at: T0 + 100 }), [account('all:new')]);
      const bounds = {
        runsBefore: T0 + 50,
        eventsBefore: T0,
        answersBefore: T0,
        tokensBefore: T0,
        limit: 100,
      };
      expect(await store.prune(bounds)).toBe(2);
      expect(await store.getSpent(['all:old', 'all:new'])).toEqual(
        new Map([
          ['all:old', NOTHING_SPENT],
          ['all:new', spend({ tokens: 1 })],
        ]),
      );
    });
  });
}

const settled = (id: string) => ({
  id,
  spent: NOTHING_SPENT,
  inputTokens: null,
  outputTokens: null,
  estimated: false,
});
