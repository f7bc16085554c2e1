import { afterEach, beforeEach, describe } from 'vitest';
import type { Store } from '../../src/server/store/store.js';
import { exerciseAgents } from './store/agents.js';
import { exerciseApprovals } from './store/approvals.js';
import { exerciseBudgets } from './store/budgets.js';
import { exerciseCalledTasks } from './store/called-tasks.js';
import { exerciseCompleting } from './store/completing.js';
import { exerciseDeliveries } from './store/deliveries.js';
import { exerciseEvents } from './store/events.js';
import { exerciseHooks } from './store/hooks.js';
import { exerciseLanes } from './store/lanes.js';
import { exerciseLeasing } from './store/leasing.js';
import { exerciseOperations } from './store/operations.js';
import { exerciseRaces } from './store/races.js';
import { exerciseReclaiming } from './store/reclaiming.js';
import { exerciseRuns } from './store/runs.js';
import { exerciseScheduling } from './store/scheduling.js';
import { exerciseTasks } from './store/tasks.js';
import { exerciseTools } from './store/tools.js';
import { exerciseWindows } from './store/windows.js';

/** A database of its own for one test, migrated. */
export interface FreshStore {
  store: Store;
  /** What another process opens to share it; null when it can not be shared. */
  url: string | null;
  /** A second Store on the same database, as another process has (or the same one again); closed by `cleanup`. */
  reopen(): Promise<Store>;
  /** Runs SQL as someone who tampers with the database; null when nobody else can open it. */
  tamper: ((sql: string) => Promise<void>) | null;
  cleanup(): Promise<void>;
}

/** What each group of the suite is given: the fresh store of the test that runs. */
export type Subject = () => FreshStore;

/**
 * The conformance suite of the Store contract (src/server/store/store.ts): every engine must pass all of it.
 * @param shared whether several processes can open the database; without it the races are left out.
 */
export function exerciseStore(name: string, openFresh: () => Promise<FreshStore>, shared: boolean): void {
  describe(`Store on ${name}`, () => {
    let fresh: FreshStore;
    beforeEach(async () => {
      fresh = await openFresh();
    });
    afterEach(() => fresh.cleanup());
    const subject: Subject = () => fresh;
    exerciseScheduling(subject);
    exerciseLeasing(subject);
    exerciseLanes(subject);
    exerciseCompleting(subject);
    exerciseReclaiming(subject);
    exerciseRuns(subject);
    exerciseCalledTasks(subject);
    exerciseTasks(subject);
    exerciseAgents(subject);
    exerciseEvents(subject);
    exerciseWindows(subject);
    exerciseHooks(subject);
    exerciseApprovals(subject);
    exerciseBudgets(subject);
    exerciseDeliveries(subject);
    exerciseTools(subject);
    exerciseOperations(subject);
    if (shared) exerciseRaces(subject);
  });
}
