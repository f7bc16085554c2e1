import { parseDuration } from '../../domain/duration.js';
import { taskCalendar } from '../../domain/icalendar/task-calendar.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { SimulatedTask } from '../../server/simulate/simulation.js';
import type { SimulationDocument } from './simulation.js';

/** What runs in a simulation, as an iCalendar document; what is skipped is not in it. */
export function simulatedCalendar(
  runs: SimulationDocument['runs'],
  tasks: readonly SimulatedTask[],
  window: { from: number; to: number },
): string {
  const timed = tasks.flatMap(({ id, spec, durationMs }) => {
    const { name, title, schedule, timeout } = spec;
    if (!isTimed(schedule)) return [];
    const occurrences = runs.flatMap(({ task, scheduled_for: at, status }) =>
      task === name && status !== 'skipped' && status !== 'missed' ? [Date.parse(at)] : [],
    );
    const words = recurrenceOf(schedule).describe();
    return [
      {
        id: id ?? name,
        name,
        title: title ?? null,
        words,
        schedule,
        durationMs: durationMs || parseDuration(timeout),
        updatedAt: window.from,
        occurrences,
      },
    ];
  });
  return taskCalendar(timed, window);
}
