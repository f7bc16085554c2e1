import { intersectScopes, mayUseTool } from '../../domain/agent.js';
import { renderTemplate } from '../../domain/pipeline/template.js';
import type { Task } from '../../domain/task.js';
import { ToolError } from '../../domain/tool-error.js';
import type { Tool } from '../../domain/tool.js';
import type { Config } from '../config.js';
import type { Store } from '../store/store.js';
import type { ToolCallContext, ToolResult } from '../tools/caller.js';
import type { Notice } from './notice.js';

const TIMEOUT_MS = 20_000;
/** Waits between the tries of one delivery, milliseconds. */
const WAITS_MS = [1000, 5000];

export interface DeliveryOptions {
  store: Store;
  notify: Config['notify'];
  /** The built-in tool that posts to a webhook. */
  webhook: Tool;
  builtinTools: readonly Tool[];
  callTool: (tool: Tool, input: unknown, context: ToolCallContext) => Promise<ToolResult>;
  signal: AbortSignal;
}

/**
 * Hands a notice to where the task says, else to where the configuration says, with two more tries. The other side can
 * drop a repeat by its Idempotency-Key.
 * @returns false when nobody is to be told. @throws ToolError when it could not be handed over.
 */
export async function deliverNotice(
  notice: Notice,
  task: Task,
  key: string,
  options: DeliveryOptions,
): Promise<boolean> {
  const call = await callFor(notice, task, options);
  if (call === null) return false;
  for (let attempt = 0; ; attempt++) {
    try {
      await options.callTool(call.tool, call.input, {
        signal: options.signal,
        timeoutMs: TIMEOUT_MS,
        idempotencyKey: key,
      });
      return true;
    } catch (error) {
      const wait = WAITS_MS[attempt];
      if (wait === undefined || !(error instanceof ToolError) || !error.retryable) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** Which tool is called with what. What the configuration names was put there by the operator: it needs no grant. */
async function callFor(
  notice: Notice,
  task: Task,
  options: DeliveryOptions,
): Promise<{ tool: Tool; input: unknown } | null> {
  const { notify, store } = options;
  const own = task.spec.monitor?.notify;
  const target = own ?? notify;
  if (target === notify && notify.webhook === undefined && notify.tool === undefined) return null;
  if ('webhook' in target && target.webhook !== undefined) {
    const grants = own === undefined ? [grantFor(target.webhook), ...notify.grants] : notify.grants;
    return {
      tool: { ...options.webhook, grants },
      input: { url: target.webhook, type: `pao.${notice.kind}`, payload: notice },
    };
  }
  const { tool: address, with: template = {} } = target as { tool: string; with?: Record<string, unknown> };
  const tool =
    options.builtinTools.find((one) => one.address === address) ?? (await store.getTool(address))?.tool;
  if (tool === undefined)
    throw new ToolError('config_error', `notify names the tool ${address}, which is not in the catalog.`);
  if (own !== undefined) {
    const agent = await store.getAgent(task.agentId);
    if (!mayUseTool(intersectScopes(task.scopes, agent?.scopes ?? []), address))
      throw new ToolError('auth', `The agent of ${task.name} may not call ${address}.`);
  }
  const zone = task.spec.schedule?.timezone ?? 'UTC';
  return { tool, input: renderTemplate(template, { values: { notice }, zone }).value };
}

/** `host:port` of a URL, as grants are written. */
export function grantFor(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`;
}
