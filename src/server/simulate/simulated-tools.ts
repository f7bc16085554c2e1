import type { Clock } from '../../domain/clock.js';
import type { TaskSpec } from '../../domain/task.js';
import { type Tool, toolSchema } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import { builtinOf, builtinTools } from '../tools/builtin-tools.js';
import type { ToolCallContext, ToolResult } from '../tools/caller.js';
import type { ConnectorServices } from '../tools/connector.js';
import { type PlannedStep, planTask } from '../worker/plan.js';

/** What tools answer in a simulation: by step id, or by the address of a tool. */
export type Outputs = Readonly<Record<string, unknown>>;

/** The calls of a pipeline, with what a condition observes. */
function callsOf(spec: TaskSpec): { id: string; tool: string; isMessage: boolean }[] {
  const plan = planTask(spec);
  const all = (steps: readonly PlannedStep[]): PlannedStep[] =>
    steps.flatMap((step) => [step, ...all(step.children)]);
  return all([...(plan.check === null ? [] : [plan.check]), ...plan.steps]).flatMap(
    ({ step, tool, isMessage }) => (tool === null ? [] : [{ id: step.id, tool, isMessage }]),
  );
}

/** The tools of a pipeline that nobody said an answer for, and that can not be called for real. */
export function unanswered(spec: TaskSpec, outputs: Outputs): string[] {
  // A message is written and not sent: nobody answers it.
  const open = callsOf(spec).filter(
    ({ id, tool, isMessage }) =>
      !isMessage && !Object.hasOwn(outputs, id) && !Object.hasOwn(outputs, tool) && pureTool(tool) === null,
  );
  return [...new Set(open.map(({ tool }) => tool))];
}

/** Stand-ins for every tool of some pipelines: they take any input and are found in no catalog. */
export function standIns(specs: readonly TaskSpec[]): Tool[] {
  const addresses = new Set(specs.flatMap((spec) => callsOf(spec).map(({ tool }) => tool)));
  return [...addresses].map(
    (address) =>
      pureTool(address) ??
      toolSchema.parse({
        address,
        title: address,
        kind: 'http',
        side_effect: 'idempotent',
        input_schema: {},
        http: { method: 'GET', url: 'https://simulated.invalid/' },
      }),
  );
}

/** Answers a call: as it was said for the step or the tool, else by what is built in and touches nothing. */
export async function answer(
  tool: Tool,
  input: unknown,
  context: ToolCallContext,
  outputs: Outputs,
  clock: Clock,
): Promise<ToolResult> {
  for (const name of [stepOf(context), tool.address]) {
    if (Object.hasOwn(outputs, name)) return { output: structuredClone(outputs[name]), durationMs: 0 };
  }
  const builtin = pureTool(tool.address) === null ? null : builtinOf(tool);
  if (builtin?.immediate !== true)
    throw new ToolError('config_error', `${tool.address} has no answer in this simulation.`);
  // What answers at once needs the clock and nothing else.
  const services = { clock } as ConnectorServices;
  return { output: builtin.run(services, { tool, input, context }).output, durationMs: 0 };
}

/** The step a call belongs to: an item of a foreach is `step[3]`. */
export const stepOf = ({ stepId }: Pick<ToolCallContext, 'stepId'>): string =>
  (stepId ?? '').replace(/\[\d+\]$/, '');

/** Whether a call of the real tool leaves the process, and so counts. */
export const isOutside = ({ address }: Tool): boolean =>
  !builtinTools.some((tool) => tool.address === address);

function pureTool(address: string): Tool | null {
  const tool = builtinTools.find((one) => one.address === address);
  return tool !== undefined && builtinOf(tool).immediate ? tool : null;
}
