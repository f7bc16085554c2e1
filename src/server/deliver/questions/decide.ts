import type { Approval } from '../../../domain/approval.js';
import type { Bus } from '../../bus/bus.js';
import type { Store } from '../../store/store.js';

/** What a person said, wherever they said it. */
export interface Decision {
  decision: 'approve' | 'deny';
  /** `agent:<id>`, `telegram:<user id>`. */
  by: string;
  comment?: string | undefined;
  /** In place of what was to be approved. */
  data?: unknown;
  /** More for the audit log. */
  details?: Record<string, unknown>;
}

/**
 * Decides an approval: one way for all who decide. Of several that try the store lets one; an answer that comes too late
 * changes nothing.
 * @returns it as it is now, and whether this call decided it; null when there is none.
 */
export async function decideApproval(
  { store, bus, now }: { store: Pick<Store, 'decideApproval'>; bus: Bus; now: number },
  { id, runId, stepId }: Pick<Approval, 'id' | 'runId' | 'stepId'>,
  { decision, by, comment, data, details }: Decision,
): Promise<{ approval: Approval; decided: boolean } | null> {
  const state = decision === 'approve' ? 'approved' : 'denied';
  const edited = data === undefined ? {} : { data };
  const action = `approval.${state}`;
  const known = {
    run_id: runId,
    step: stepId,
    ...(comment === undefined ? {} : { comment }),
    ...(data === undefined ? {} : { edited: true }),
    ...details,
  };
  const audit = { action, details: known };
  const result = await store.decideApproval({
    id,
    state,
    by,
    comment: comment ?? null,
    ...edited,
    now,
    audit,
  });
  if (result === null || !result.decided) return result;
  bus.publish('work', { count: 1 });
  bus.publish('approval', { ids: [id] });
  bus.record?.([{ type: action, at: now, subject: id, data: { ...known, by } }]);
  return result;
}
