import { z } from 'zod';
import { formatDuration, tryParseDuration } from './duration.js';
import { topicPatternSchema } from './event.js';
import { intervalRule } from './recurrence/interval.js';

const NO_DURATION = 'is not a duration; write a number and a unit: 30s, 5m, 1h30m, 2d';

/** A duration as text (`30s`, `1h30m`), between two bounds in milliseconds. */
export const durationText = (minMs = 0, maxMs = 366 * 86_400_000) =>
  z
    // A bare number would leave open what it counts.
    .string({ error: ({ input }) => (typeof input === 'number' ? NO_DURATION : undefined) })
    .max(40)
    .refine((text) => tryParseDuration(text) !== null, { message: NO_DURATION })
    .refine((text) => ((ms) => ms === null || (ms >= minMs && ms <= maxMs))(tryParseDuration(text)), {
      message: `must be between ${formatDuration(minMs)} and ${formatDuration(maxMs)}`,
    });

/** What happens to occurrences that came due while nothing could run them. */
export const catchupSchema = z.strictObject({
  policy: z.enum(['latest', 'all', 'skip']).default('latest'),
  /** With `all`: how many at most, the newest; older ones are recorded as missed. */
  max: z.int().min(1).max(1000).default(10),
  /** An occurrence older than this is recorded as missed, whatever the policy. */
  window: durationText(1000).default('24h'),
});

const dstSchema = z.strictObject({
  gap: z.enum(['shift', 'next', 'skip']).optional(),
  fold: z.enum(['first', 'second', 'both']).optional(),
});

const businessDaysSchema = z.strictObject({
  calendar: z.string().min(2).max(20),
  roll: z.enum(['next', 'previous', 'skip']).default('next'),
  dates: z.array(z.iso.date()).max(1000).optional(),
});

const policies = {
  catchup: catchupSchema.default({ policy: 'latest', max: 10, window: '24h' }),
  overlap: z.enum(['skip', 'queue', 'allow', 'cancel_previous']).default('skip'),
  /** With overlap `queue`: how many may wait behind the one that runs. */
  queue_limit: z.int().min(1).max(1000).default(1),
  /** Spreads starts: up to this long after the occurrence, the same for the same occurrence. */
  jitter: durationText(0, 86_400_000).optional(),
};

const timed = {
  timezone: z.string().min(1).max(64),
  dst: dstSchema.optional(),
  business_days: businessDaysSchema.optional(),
  /**
   * The anchor of INTERVAL and COUNT. When it is left out, midnight of the day of creation in the zone (with COUNT, the
   * moment of creation) is taken and stored.
   */
  dtstart: z.string().max(40).optional(),
  ...policies,
};

const expr = z.string().min(1).max(2000);

export const cronScheduleSchema = z.strictObject({
  kind: z.literal('cron'),
  expr,
  day_match: z.enum(['or', 'and']).optional(),
  ...timed,
});
export const rruleScheduleSchema = z.strictObject({ kind: z.literal('rrule'), expr, ...timed });
export const onceScheduleSchema = z.strictObject({
  kind: z.literal('once'),
  expr,
  ...timed,
  // Once is wanted once: late is better than never, unless the task says how late is too late.
  catchup: catchupSchema.default({ policy: 'latest', max: 10, window: '366d' }),
});

/** Most events that are handed to one run together. */
export const MAX_EVENTS_TOGETHER = 100;
const expression = z.string().min(1).max(2000);

const debounceSchema = z.preprocess(
  (input) => (typeof input === 'string' ? { quiet: input } : input),
  z.strictObject({
    /** The run begins when none has come for this long. */
    quiet: durationText(100, 7 * 86_400_000),
    /** But this long after the first at the latest. */
    max_wait: durationText(100, 7 * 86_400_000).optional(),
  }),
);

export const eventScheduleSchema = z
  .strictObject({
    kind: z.literal('event'),
    /** Topic pattern: `mail.received`, `mail.*` (one word), `mail.#` (any number of words). With `absent`: what begins the span. */
    topic: topicPatternSchema,
    /** JMESPath over `{topic, payload}`; the task is triggered when it is true. */
    filter: expression.optional(),
    /** With debounce, batch or absent: an expression over `{topic, payload}`; each value has a window of its own. */
    key: expression.optional(),
    /** A burst is one run, which begins when it is over. */
    debounce: debounceSchema.optional(),
    /** One run for so many events, or for those that came within the window of the first. */
    batch: z
      .strictObject({
        size: z.int().min(2).max(MAX_EVENTS_TOGETHER),
        window: durationText(100, 7 * 86_400_000),
      })
      .optional(),
    /** The task is triggered when no such event comes in time. */
    absent: z
      .strictObject({
        topic: topicPatternSchema,
        within: durationText(1000, 366 * 86_400_000),
        filter: expression.optional(),
      })
      .optional(),
    timezone: z.string().min(1).max(64).default('UTC'),
    overlap: z.enum(['skip', 'queue', 'allow', 'cancel_previous']).default('allow'),
    queue_limit: z.int().min(1).max(1000).default(100),
    jitter: durationText(0, 86_400_000).optional(),
  })
  .superRefine((schedule, context) => {
    const given = (['debounce', 'batch', 'absent'] as const).filter((name) => schedule[name] !== undefined);
    if (given.length > 1) {
      const [first, second] = given;
      context.addIssue({
        code: 'custom',
        path: [second as string],
        message: `can not be used together with ${first}`,
      });
    }
    if (schedule.key !== undefined && given.length === 0) {
      context.addIssue({ code: 'custom', path: ['key'], message: 'belongs to debounce, batch or absent' });
    }
    const { quiet, max_wait: most } = schedule.debounce ?? {};
    if (most !== undefined && (tryParseDuration(most) ?? 0) < (tryParseDuration(quiet ?? '') ?? 0)) {
      context.addIssue({
        code: 'custom',
        path: ['debounce', 'max_wait'],
        message: 'must not be shorter than quiet',
      });
    }
    if (isSinceLast(schedule) && schedule.filter !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['filter'],
        message: 'belongs into absent, where nothing else begins the span',
      });
    }
  });

/** Whether the span in which an event must come begins with the last one, not with another event. */
export function isSinceLast(schedule: { topic: string; absent?: { topic: string } | undefined }): boolean {
  return schedule.absent !== undefined && schedule.absent.topic === schedule.topic;
}

export const conditionScheduleSchema = z.strictObject({
  kind: z.literal('condition'),
  /** How often to look. */
  every: durationText(1000),
  /** A tool call that observes the world. */
  check: z.strictObject({ uses: z.string().max(128), with: z.record(z.string(), z.unknown()).optional() }),
  /** JMESPath over `{result, previous, state}`; the pipeline runs when it is true. */
  when: z.string().min(1).max(2000),
  /** Hysteresis: once `when` was true it counts as true until this is; the opposite of `when` when left out. */
  clear_when: z.string().min(1).max(2000).optional(),
  /** `edge`: once each time it becomes true; `level`: each time it is true. */
  trigger: z.enum(['edge', 'level']).default('edge'),
  /** It must have been true for this long. */
  for: durationText(0).optional(),
  /** At least this long between two triggers. */
  cooldown: durationText(0).optional(),
  timezone: z.string().min(1).max(64).default('UTC'),
  ...policies,
});

const anySchedule = z.discriminatedUnion('kind', [
  cronScheduleSchema,
  rruleScheduleSchema,
  onceScheduleSchema,
  eventScheduleSchema,
  conditionScheduleSchema,
]);

/** What may be written instead; `scheduleSchema` rewrites it, so that only a document of the API needs to know. */
const shorthands = [
  z.strictObject({
    kind: z.literal('every').optional(),
    /** `15m`, `6h`, `1d`: an interval, counted from `dtstart`. */
    every: durationText(1000).meta({ examples: ['15m', '6h', '1d'] }),
    ...timed,
  }),
  z.strictObject({ ...onceScheduleSchema.omit({ expr: true }).shape, at: onceScheduleSchema.shape.expr }),
];

/** For {@link z.toJSONSchema}: writes every form of a schedule down, the shorthands too. */
export function writeShorthands({
  zodSchema,
  jsonSchema,
}: {
  zodSchema: unknown;
  jsonSchema: { oneOf?: unknown[] };
}): void {
  if (zodSchema !== anySchedule) return;
  const options = { io: 'input', unrepresentable: 'any' } as const;
  for (const shorthand of shorthands) {
    const { $schema: _, ...schema } = z.toJSONSchema(shorthand, options);
    jsonSchema.oneOf?.push(schema);
  }
}

/** Every kind of schedule there is. */
export const SCHEDULE_KINDS: readonly string[] = anySchedule.options.map(({ shape }) => shape.kind.value);

/**
 * The `schedule` of a task (product.md). Accepted besides: `at` for the expression of `once`, and `every: 15m` for an
 * interval; both are rewritten here, so that the rest of the program knows one form.
 */
export const scheduleSchema = z.preprocess((input, context) => {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  const schedule = { ...(input as Record<string, unknown>) };
  if (schedule.kind === 'once' && schedule.expr === undefined && schedule.at !== undefined) {
    schedule.expr = schedule.at;
    delete schedule.at;
  }
  if (schedule.kind === 'event' && schedule.topic === undefined && schedule.expr !== undefined) {
    schedule.topic = schedule.expr;
    delete schedule.expr;
  }
  if (schedule.kind === 'event' && schedule.topic === undefined)
    // Nothing else begins the span: it begins with the last one.
    schedule.topic = (schedule.absent as { topic?: unknown } | undefined)?.topic;
  if (schedule.every !== undefined && (schedule.kind === undefined || schedule.kind === 'every')) {
    const { every, kind: _, ...rest } = schedule;
    const rule = typeof every === 'string' ? intervalRule(every) : null;
    if (rule !== null) return { kind: 'rrule', expr: rule, ...rest };
    context.issues.push({
      code: 'custom',
      input: every,
      path: ['every'],
      message: 'is not an interval; write a number and a unit: 30s, 15m, 6h, 1d, 2w',
    });
  }
  return schedule;
}, anySchedule);

export type Schedule = z.infer<typeof scheduleSchema>;
export type TimedSchedule = Extract<Schedule, { kind: 'cron' | 'rrule' | 'once' }>;
export type EventSchedule = Extract<Schedule, { kind: 'event' }>;
export type ConditionSchedule = Extract<Schedule, { kind: 'condition' }>;
