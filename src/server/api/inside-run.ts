import { type Agent, DEFAULT_SCOPES, hasScope, intersectScopes } from '../../domain/agent.js';
import { conflict, EXIT, PaoError } from '../../domain/errors.js';
import type { TraceContext } from '../../domain/observability/trace.js';
import { isFinal, type Run } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import { maySee } from './causes.js';
import type { ApiServices, Caller } from './operation.js';

/** Runs that are looked at on the way up, replays included. */
const MAX_CHAIN = 64;
/** Runs that may have started one another: the same bound as for steps that call tasks. */
const MAX_STARTED = 8;

/**
 * The run a request comes from inside of: the one its token stands for or its `Pao-Run` header names, else the one whose
 * trace it goes on in, which is how a tool that was handed a `traceparent` is known.
 */
export async function runOfRequest(
  caller: Caller,
  trace: TraceContext,
  { store }: Pick<ApiServices, 'store'>,
): Promise<Run | null> {
  if (caller.run !== undefined) return caller.run;
  if (trace.parentSpanId === null) return null;
  const run = await store.getRun(`run_${trace.traceId}`);
  return run !== null && maySee(run, caller) ? run : null;
}

/** The caller a run token stands for: what the task may do, never the rights of an administrator. null when it is over. */
export async function callerOfRun(
  runId: string,
  { store }: Pick<ApiServices, 'store'>,
): Promise<Caller | null> {
  const run = await store.getRun(runId);
  if (run === null || isFinal(run.status)) return null;
  const [agent, task] = await Promise.all([store.getAgent(run.agentId), store.getTask(run.taskId)]);
  if (agent === null || agent.disabledAt !== null || task === null) return null;
  const scopes = scopesOf(task, agent);
  const token = {
    id: run.id,
    agentId: agent.id,
    hash: '',
    prefix: 'pao_r_',
    label: `run ${run.id}`,
    scopes,
    createdAt: run.createdAt,
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
  };
  return { agent, token, scopes, actor: `agent:${agent.id}`, run };
}

function scopesOf(task: Task, agent: Agent): string[] {
  const scopes = intersectScopes(task.scopes, agent.scopes);
  return scopes.includes('admin') ? [...DEFAULT_SCOPES, 'tasks:spawn', 'tool:*'] : scopes;
}

/**
 * Where a task comes from that is created from inside a run.
 * @throws PaoError 403 without the scope tasks:spawn, 409 when too many runs that created tasks are behind it.
 */
export async function originOf(
  run: Run | null,
  caller: Caller,
  { store, config }: ApiServices,
): Promise<Pick<Task, 'createdInRun' | 'spawnDepth'>> {
  if (run === null) return { createdInRun: null, spawnDepth: 0 };
  if (!hasScope(caller.scopes, 'tasks:spawn')) {
    throw new PaoError(
      'PAO_FORBIDDEN',
      `This comes from inside the run ${run.id} of ${run.taskName}: creating tasks there needs the scope tasks:spawn.`,
      {
        exitCode: EXIT.forbidden,
        status: 403,
        hints: ['Ask an operator for the scope tasks:spawn'],
      },
    );
  }
  const spawnDepth = ((await store.getTask(run.taskId))?.spawnDepth ?? 0) + 1;
  const most = config.limits.spawn_depth;
  if (spawnDepth > most) {
    throw conflict(
      `${run.taskName} was itself created by a run, and so on: tasks may create tasks ${most} deep.`,
      [`pao task show ${run.taskId}`, 'limits.spawn_depth in pao.config.yaml is the bound'],
    );
  }
  return { createdInRun: run.id, spawnDepth };
}

/** @throws PaoError 409 when a run that a run started, and so on, would go on for ever. */
export async function requireShallow(run: Run | null, { store }: ApiServices): Promise<void> {
  let [at, started] = [run, 0];
  for (let links = 0; at !== null && links < MAX_CHAIN; links += 1) {
    if (at.trigger !== 'replay') started += 1;
    if (started > MAX_STARTED)
      throw conflict(`Runs start each other more than ${MAX_STARTED} deep.`, [`pao run show ${run?.id}`]);
    at = at.parentRunId === null ? null : await store.getRun(at.parentRunId);
  }
}
