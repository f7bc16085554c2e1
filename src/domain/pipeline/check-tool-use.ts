import { CHANNEL_PREFIX, isChannel } from '../channel.js';
import { cut, type Problem } from '../errors.js';
import { nearest } from '../nearest.js';
import type { TaskSpec } from '../task.js';

/** What is asked about the use of a tool. */
export interface ToolUseContext {
  findTool(address: string): unknown;
  /** For hints only; an unknown tool is compared with them. */
  toolAddresses(): string[];
  /** Whether the task's agent holds the scope `tool:<address>`. */
  mayUse(address: string): boolean;
}

/** What is wrong with using a tool; null when it is there and may be used. @param pointer where it is named. */
export function toolUseProblem(address: string, pointer: string, context: ToolUseContext): Problem | null {
  if (context.findTool(address) === null) {
    const near = nearestTool(address, context.toolAddresses());
    return isChannel(address) ? noChannel(address, near, pointer) : noTool(address, near, pointer);
  }
  if (context.mayUse(address)) return null;
  return {
    pointer,
    message: `the agent may not use "${address}": the scope tool:${address} is missing`,
    hint: `Ask an admin for a token with the scope tool:${address}`,
  };
}

const noTool = (address: string, near: string | null, pointer: string): Problem => ({
  pointer,
  message: `there is no tool "${cut(address, 128)}"`,
  hint: near === null ? 'See the tools there are: pao tool list' : `Did you mean "${near}"?`,
});

function noChannel(address: string, near: string | null, pointer: string): Problem {
  const nameOf = (text: string) => text.slice(CHANNEL_PREFIX.length);
  // Where a channel is named without its prefix, so is what was meant.
  const meant = near === null || pointer.endsWith('/uses') ? near : nameOf(near);
  return {
    pointer,
    message: `there is no channel "${cut(nameOf(address), 128)}"`,
    hint:
      meant === null
        ? 'Name it under channels in pao.config.yaml, and start pao again; pao channel list shows those there are'
        : `Did you mean "${meant}"?`,
  };
}

/** What is wrong with where the notices of a task go (`monitor.notify`). */
export function checkNotices({ monitor }: Pick<TaskSpec, 'monitor'>, context: ToolUseContext): Problem[] {
  const target = monitor?.notify;
  if (target === undefined || 'webhook' in target) return [];
  const problem =
    'channel' in target
      ? toolUseProblem(CHANNEL_PREFIX + target.channel, '/monitor/notify/channel', context)
      : toolUseProblem(target.tool, '/monitor/notify/tool', context);
  return problem === null ? [] : [problem];
}

function nearestTool(address: string, addresses: readonly string[]): string | null {
  const group = address.slice(0, address.indexOf('.') + 1);
  // What is not a channel is never meant by the name of one.
  const known = isChannel(address) ? addresses.filter((one) => one.startsWith(group)) : addresses;
  const near = nearest(address, known);
  if (near !== null) return near;
  // A right name in the wrong group is the other common mistake.
  const name = address.slice(group.length);
  return known.find((one) => one.slice(one.indexOf('.') + 1) === name) ?? null;
}
