import { intersectScopes, mayUseTool } from '../../domain/agent.js';
import type { Clock } from '../../domain/clock.js';
import type { Delivery } from '../../domain/delivery.js';
import { parseDuration } from '../../domain/duration.js';
import { quietAt, quietTimesOf } from '../../domain/quiet-times.js';
import { ToolError } from '../../domain/tool-error.js';
import type { Tool } from '../../domain/tool.js';
import type { Store } from '../store/store.js';
import type { Question, ToolCallContext, ToolResult } from '../tools/caller.js';
import type { SecretSource } from '../tools/secrets.js';
import { targetOf } from '../tools/egress-guard.js';
import { readAgentQuiet } from './agent-quiet.js';
import { fillSecrets } from './message-secrets.js';
import { digestKeyFor } from './new-delivery.js';
import { deferred, delivered, failed, suppressed, type Verdict, verdictOn } from './verdict.js';

const DEFAULT_TIMEOUT_MS = 30_000;

export interface PostOptions {
  store: Store;
  clock: Clock;
  secrets: Pick<SecretSource, 'resolve'>;
  findTool: (address: string) => Promise<Tool | null>;
  callTool: (tool: Tool, input: unknown, context: ToolCallContext) => Promise<ToolResult>;
  /** Private addresses that webhooks named by tasks may reach. */
  grants: readonly string[];
  /** How long a message is tried again and again, milliseconds. */
  retryForMs: number;
  random: () => number;
  /** Told of each question before it is sent. */
  expectAnswer?: ((delivery: Delivery) => Promise<void>) | undefined;
}

/** A message that may be sent now. */
export interface Ready {
  tool: Tool;
  agent: string;
  timeoutMs: number;
  repeatable: boolean;
}

/** Hands single messages to the tools of their channels. */
export class Post {
  constructor(private readonly options: PostOptions) {}

  /** Whether a message may be sent now, by what holds now: quiet times, rights, the question it asks. */
  async prepare(delivery: Delivery): Promise<Ready | { verdict: Verdict }> {
    const { store, clock } = this.options;
    const [task, agent, quiet] = await Promise.all([
      delivery.taskId === null ? null : store.getTask(delivery.taskId),
      store.getAgent(delivery.agentId),
      readAgentQuiet(store, delivery.agentId),
    ]);
    if (delivery.origin === 'approval' && delivery.runId !== null && delivery.stepId !== null) {
      const approval = await store.findApproval(delivery.runId, delivery.stepId);
      // Where another run has the question open, this one was not written.
      if (approval === null || approval.state !== 'pending' || approval.expiresAt <= clock.now())
        return { verdict: suppressed('answered') };
    }
    const byOperator = delivery.message.byOperator === true;
    if (agent === null || (agent.disabledAt !== null && !byOperator))
      return { verdict: suppressed('agent_deleted') };
    const held = this.#held(delivery, quietAt(quietTimesOf(task?.spec ?? null, quiet), clock.now()));
    if (held !== null) return { verdict: held };
    const found = await this.options.findTool(delivery.channel);
    if (found === null) {
      const message = `There is no tool or channel ${delivery.channel} any more.`;
      return { verdict: failed({ kind: 'config_error', message, hint: 'pao channel list' }) };
    }
    const scopes = task === null ? agent.scopes : intersectScopes(task.scopes, agent.scopes);
    const isFree = byOperator || (delivery.origin === 'notice' && delivery.channel === 'notify.webhook');
    if (!isFree && !mayUseTool(scopes, delivery.channel)) {
      const message = `The agent ${agent.name} may not call ${delivery.channel}.`;
      return {
        verdict: failed({ kind: 'forbidden', message, hint: `Scope tool:${delivery.channel} is missing.` }),
      };
    }
    const tool = this.#granted(found, delivery);
    if (delivery.origin === 'approval') await this.options.expectAnswer?.(delivery);
    return {
      tool,
      agent: agent.name,
      timeoutMs: tool.timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDuration(tool.timeout),
      repeatable: tool.side_effect !== 'once',
    };
  }

  /** Makes the call. @returns what became of it; never throws what a tool or its server does. */
  async send(delivery: Delivery, ready: Ready, signal: AbortSignal): Promise<Verdict> {
    const { callTool, clock, retryForMs, random } = this.options;
    const { tool, agent, timeoutMs, repeatable } = ready;
    try {
      const result = await callTool(tool, await this.#filled(delivery, ready), {
        signal,
        timeoutMs,
        // The same on every attempt, so that the other side can drop a repeat.
        idempotencyKey: delivery.key,
        ...(delivery.runId === null ? {} : { runId: delivery.runId }),
        ...(delivery.stepId === null ? {} : { stepId: delivery.stepId }),
        attempt: delivery.attempts,
        agent,
        question: questionOf(delivery),
      });
      return delivered(result);
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      return verdictOn(error, delivery, { now: clock.now(), repeatable, retryForMs, random: random() });
    }
  }

  #held(delivery: Delivery, quiet: ReturnType<typeof quietAt>): Verdict | null {
    if (quiet === null || delivery.urgent || delivery.quietHours === 'ignore') return null;
    if (delivery.quietHours === 'skip') return suppressed(quiet.reason);
    return { ...deferred(quiet.reason, quiet.until), digestKey: digestKeyFor(delivery, quiet) };
  }

  /** What the configuration names was put there by the operator; a webhook of a task may reach what is granted to such. */
  #granted(tool: Tool, { channel, message }: Delivery): Tool {
    if (channel !== 'notify.webhook') return tool;
    const { url } = message.input as { url?: string };
    const own = message.byOperator === true && url !== undefined ? [targetOf(new URL(url))] : [];
    return { ...tool, grants: [...(tool.grants ?? []), ...own, ...this.options.grants] };
  }

  async #filled({ message }: Delivery, { tool, agent }: Ready): Promise<unknown> {
    const values = new Map<string, string>();
    for (const name of message.secrets?.names ?? [])
      values.set(name, await this.options.secrets.resolve(name, { tool: tool.address, agent }));
    return fillSecrets(message, values);
  }
}

/** What a message asks, where pao itself asks. */
function questionOf({ origin, key, message }: Delivery): Question | undefined {
  if (origin !== 'approval') return undefined;
  const { data } = message.input as { data?: { approval_url?: string } };
  return { approvalId: key, link: data?.approval_url };
}
