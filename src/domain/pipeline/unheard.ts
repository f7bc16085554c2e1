import type { Pipeline } from './step.js';

/** A step that asks a person, and where it stands. */
interface Unheard {
  id: string;
  pointer: string;
  /** What is wrong, in words. */
  message: string;
  /** What to write where. */
  hint: string;
}

/**
 * Steps whose question nobody is told of: neither they nor the configuration name a channel for it.
 * @param channel `notify.approvals` of the configuration.
 * @param channels those there are, for the hint.
 */
export function unheardSteps(
  pipeline: Pipeline,
  channel: string | undefined,
  channels: readonly string[],
): Unheard[] {
  if (channel !== undefined) return [];
  const name = channels[0] ?? 'CHANNEL';
  return pipeline
    .flatMap((step, index) => [
      { step, pointer: `/pipeline/${index}` },
      ...(step.parallel ?? []).map((one, inner) => ({
        step: one,
        pointer: `/pipeline/${index}/parallel/${inner}`,
      })),
    ])
    .filter(({ step }) => step.approve !== undefined && step.approve.notify === undefined)
    .map(({ step: { id }, pointer }) => ({
      id,
      pointer,
      message: `Nobody is told when step ${id} asks: neither it nor the configuration names a channel for questions.`,
      hint: `notify: { approvals: ${name} } in pao.config.yaml, or approve: { notify: ${name} } in the step${channels.length === 0 ? '; a channel is added under channels: (docs/delivery.md)' : ''}`,
    }));
}
