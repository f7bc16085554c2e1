import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pao, until } from '../e2e/start-pao.js';

export interface RunView {
  id: string;
  status: string;
  reason: string | null;
  attempt: number;
  worker_id: string | null;
  started_at: string | null;
  finished_at: string | null;
}

const FINAL = ['succeeded', 'partial', 'failed', 'dead', 'canceled', 'skipped', 'missed'];

/** A data directory with settings of its own. */
export function homeWith(settings: Record<string, string> = {}): string {
  const home = mkdtempSync(join(tmpdir(), 'pao-chaos-'));
  const lines = Object.entries(settings).map(([key, value]) => `${key}: ${value}\n`);
  if (lines.length > 0) writeFileSync(join(home, 'pao.config.yaml'), lines.join(''));
  return home;
}

/** Creates a task. @returns its id. */
export async function createTask(pao: Pao, name: string, more: object): Promise<string> {
  const { status, body } = await pao.api<{ id: string }>('POST', '/v1/tasks', { name, ...more });
  if (status !== 201) throw new Error(`The task was not taken: ${JSON.stringify(body)}`);
  return body.id;
}

/** Starts a task by hand. @returns the id of its run, or null when that was not acknowledged. */
export async function runTask(pao: Pao, taskId: string): Promise<string | null> {
  const answer = await pao.api<{ id: string }>('POST', `/v1/tasks/${taskId}/run`, {}).catch(() => null);
  return answer !== null && answer.status === 202 ? answer.body.id : null;
}

export async function runOf(pao: Pao, runId: string): Promise<RunView> {
  const { status, body } = await pao.api<RunView>('GET', `/v1/runs/${runId}`);
  if (status !== 200) throw new Error(`No answer about ${runId}: ${JSON.stringify(body)}`);
  return body;
}

/** Waits until a run has ended; a server that is being restarted is asked again. */
export async function ended(pao: Pao, runId: string, timeoutMs = 60_000): Promise<RunView> {
  let last: RunView | null = null;
  return until(
    `run ${runId} to end`,
    async () => {
      last = await runOf(pao, runId).catch(() => null);
      return last !== null && FINAL.includes(last.status) ? last : null;
    },
    timeoutMs,
    () => JSON.stringify(last),
  );
}

/** The slot of the worker that has a run, or had it last. */
export const slotOf = (run: RunView): string => /^wrk_(w\d+)_/.exec(run.worker_id ?? '')?.[1] ?? '';

/** The value of a metric without labels, or summed over them. */
export async function metric(pao: Pao, name: string): Promise<number> {
  const { body } = await pao.api<string>('GET', '/metrics');
  const lines = String(body).matchAll(new RegExp(`^orchestrator_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}
