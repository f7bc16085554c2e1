import { z } from 'zod';
import { agentBudgetSchema } from '../../domain/budget.js';
import { invalidInput } from '../../domain/errors.js';
import { topicSchema } from '../../domain/event.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';
import { isTimeZone } from '../../domain/recurrence/index.js';
import { durationText } from '../../domain/schedule.js';
import { parseDuration } from '../../domain/duration.js';
import { quietTimesSchema } from '../../domain/quiet-times.js';
import type { SimulatedAgent, SimulatedEvent } from './simulation.js';

/** Events of one list at most; more make a simulation that nobody reads. */
const MOST_EVENTS = 20_000;

const agentSchema = z.strictObject({
  name: z.string().min(1).max(100).default('agent'),
  budget: agentBudgetSchema.optional(),
  ...quietTimesSchema.shape,
});

/**
 * The agent that the tasks of files belong to: `name`, `budget`, `quiet_hours` and `vacation`, as the API has them.
 * @throws PaoError with every problem and its pointer.
 */
export function readSimulatedAgent(input: unknown): SimulatedAgent {
  const parsed = agentSchema.safeParse(input);
  if (!parsed.success)
    throw invalidInput('The agent is not valid.', problemsFromZod(parsed.error, input, agentSchema));
  const { name, budget = null, ...quiet } = parsed.data;
  const zone = budget?.timezone;
  if (zone !== undefined && !isTimeZone(zone))
    throw invalidInput('The agent is not valid.', [
      { pointer: '/budget/timezone', message: `"${zone}" is not a time zone` },
    ]);
  return { name, budget, quiet };
}

const eventsSchema = z
  .array(
    z
      .strictObject({
        /** How long after the beginning (`2h`), or an instant. */
        at: z.string().min(1).max(100),
        topic: topicSchema,
        payload: z.json().optional(),
        /** Again and again, this long after each other … */
        every: durationText(100).optional(),
        /** … so many times in all. */
        times: z.int().min(1).max(MOST_EVENTS).optional(),
      })
      .refine(({ every, times }) => (every === undefined) === (times === undefined), {
        message: 'needs both every and times, or none of them',
      }),
  )
  .max(MOST_EVENTS);

/**
 * Events that are published on the way: `- { at: 2h, topic: mail.received, payload: {…}, every: 1m, times: 5 }`.
 * @param momentOf the instant that `at` names, epoch milliseconds. @throws PaoError with every problem and its pointer.
 */
export function readSimulatedEvents(input: unknown, momentOf: (at: string) => number): SimulatedEvent[] {
  const parsed = eventsSchema.safeParse(input);
  if (!parsed.success)
    throw invalidInput('The events are not valid.', problemsFromZod(parsed.error, input, eventsSchema), [
      '- { at: 2h, topic: mail.received, payload: { from: ana } }',
    ]);
  return parsed.data.flatMap(({ at, topic, payload = null, every, times = 1 }) => {
    const first = momentOf(at);
    const apart = every === undefined ? 0 : parseDuration(every);
    return Array.from({ length: times }, (_, n) => ({ at: first + n * apart, topic, payload }));
  });
}
