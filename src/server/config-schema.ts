import { z } from 'zod';
import { perDaySchema } from '../domain/budget.js';
import { channelsSchema } from '../domain/channel.js';
import { timeZoneText } from '../domain/nearest-zone.js';
import { durationText } from '../domain/schedule.js';
import { isSecretName } from '../domain/secret-name.js';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** The one description of every setting; keys as in `pao.config.yaml`. docs/configuration.md is made of it. */
export const configSchema = z.strictObject({
  database_url: z
    .string()
    .min(1)
    .optional()
    .describe('`sqlite:PATH`, `postgres://…`; `orchestrator.db` in the data directory when left out.'),
  database_direct_url: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The database itself, where `database_url` names a pooler: wake-ups (LISTEN) need a connection of their own.',
    ),
  postgres: z
    .strictObject({
      pool_size: z.int().min(2).max(500).default(8).describe('Connections at most.'),
      connect_timeout: durationText(100, 60_000)
        .default('5s')
        .describe('How long a connection is waited for; also how long a database that went away is.'),
      statement_timeout: durationText(100, 600_000)
        .default('15s')
        .describe('How long one statement may take.'),
      lock_timeout: durationText(100, 600_000).default('5s').describe('How long a lock is waited for.'),
      prepared_statements: z
        .enum(['auto', 'on', 'off'])
        .default('auto')
        .describe('`auto`: used, unless a pooler stands between.'),
    })
    .prefault({})
    .describe('How PostgreSQL is used by each process.'),
  redis_url: z.string().min(1).default('memory://').describe('`memory://` or `redis://…`.'),
  redis_prefix: z
    .string()
    .regex(/^[\w:.-]{1,64}$/)
    .default('pao')
    .describe('Begins every key in Redis: systems that share one have different prefixes.'),
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address the API listens on; one that other machines reach wants a proxy with TLS before it.'),
  public_url: z
    .url({ protocol: /^https?$/ })
    .max(500)
    .optional()
    .describe(
      'Where people reach this system: `https://pao.example.org`. Links in messages begin with it, and its name may be the Host of requests. Left out, `pao start` puts the address on this machine into links.',
    ),
  port: z.int().min(0).max(65535).default(8080).describe('Port the API listens on; `0` takes a free one.'),
  metrics_port: z
    .int()
    .min(0)
    .max(65535)
    .optional()
    .describe(
      'Where `pao scheduler` and `pao worker` answer `/metrics` and `/health`; nowhere when left out.',
    ),
  metrics_host: z.string().min(1).default('127.0.0.1').describe('Address that goes with `metrics_port`.'),
  allowed_hosts: z
    .array(z.string().min(1).toLowerCase())
    .default([])
    .describe(
      'Further values of the Host header: `pao.example.org` on any port (behind a proxy), `localhost:9000` on that one.',
    ),
  workers: z.int().min(0).max(64).default(2).describe('Worker processes.'),
  worker_concurrency: z.int().min(1).max(1000).default(16).describe('Runs one worker executes at once.'),
  worker_tags: z
    .array(z.string().min(1).max(50))
    .default([])
    .describe('Tags of the workers: a task with `runs_on` goes to those that have them.'),
  log_level: z.enum(LOG_LEVELS).default('info').describe('Least level that is logged.'),
  timezone: timeZoneText
    .optional()
    .describe('IANA zone offered where a person leaves one out; never applied in silence.'),
  durability: z
    .enum(['full', 'normal'])
    .default('full')
    .describe('`full`: acknowledged means on the disk; `normal`: a power loss may take the last moments.'),
  lease: durationText(1000, 3_600_000)
    .default('15s')
    .describe('How long a worker may be silent before its work is taken back.'),
  grace: durationText(0, 600_000).default('25s').describe('How long a stop waits for running work.'),
  misfire_after: durationText(1000)
    .default('60s')
    .describe('An occurrence found later than this counts as caught up.'),
  catchup_per_second: z
    .number()
    .min(0.01)
    .max(1000)
    .default(10)
    .describe('Catch-up runs that start in a second at most, over all tasks: a restart is no storm.'),
  retention: z
    .strictObject({
      runs: durationText(3_600_000).default('90d').describe('Runs that ended, with their steps.'),
      events: durationText(3_600_000).default('30d').describe('Events.'),
    })
    .default({ runs: '90d', events: '30d' })
    .describe('How long history is kept.'),
  notify: z
    .strictObject({
      webhook: z
        .url({ protocol: /^https?$/ })
        .max(2000)
        .optional()
        .describe('Where notices are posted.'),
      channel: z.string().min(1).max(50).optional().describe('A channel, by its name under `channels`.'),
      tool: z
        .string()
        .min(1)
        .max(200)
        .optional()
        .describe(
          'A tool of the catalog; its input may use `${notice.title}`, `${notice.text}`, `${notice.hint}` and the rest of the notice.',
        ),
      with: z.record(z.string(), z.unknown()).default({}).describe('Input of that tool.'),
      after: z.int().min(1).max(1000).default(3).describe('Failures in a row until people are told.'),
      cooldown: durationText(1000)
        .default('1h')
        .describe('Nobody is told of the same task again for this long.'),
      pause_after: z
        .int()
        .min(1)
        .max(1000)
        .optional()
        .describe('Failures in a row until the task is paused; never when left out.'),
      urgent: z.boolean().default(false).describe('Notices pass quiet hours.'),
      digest: z
        .strictObject({
          every: z.enum(['day', 'week']).describe('How often.'),
          at: z
            .string()
            .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day such as 08:00')
            .describe('Time of the day, in `timezone`.'),
          day: z
            .enum(['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'])
            .default('MON')
            .describe('Of the week.'),
          timezone: timeZoneText.describe('IANA zone of `at` and `day`.'),
        })
        .optional()
        .describe('Notices are gathered, and sent as one each day or week.'),
      approvals: z
        .string()
        .min(1)
        .max(50)
        .optional()
        .describe('The channel that asks for approvals, unless their steps name another.'),
      grants: z
        .array(z.string().min(1))
        .default([])
        .describe('Private addresses (`host:port`) that the webhooks and pings of tasks may reach.'),
    })
    .refine((one) => [one.webhook, one.tool, one.channel].filter((way) => way !== undefined).length <= 1, {
      message: 'may have one of channel, webhook and tool',
    })
    .prefault({})
    .describe("Who is told that a task fails again and again, and when; a task's own `monitor` comes first."),
  channels: channelsSchema
    .default({})
    .describe('Ways to people and programs, by name; a step uses one as the tool `channel.NAME`.'),
  delivery: z
    .strictObject({
      retry_for: durationText(0, 30 * 86_400_000)
        .default('24h')
        .describe('How long one that could not be sent is tried again.'),
    })
    .prefault({})
    .describe('How messages are sent.'),
  scheduler_ping: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/ })
        .max(2000)
        .describe('Asked for with GET.'),
      every: durationText(1000).default('60s').describe('How often.'),
    })
    .optional()
    .describe(
      'Asked for while the scheduler does its work; when it stays away, a dead-man switch tells people.',
    ),
  budget: z
    .strictObject({
      per_day: perDaySchema.describe('Bounds: any of `tokens`, `usd`, `calls`, `runs`.'),
      on_exceed: z
        .enum(['skip', 'pause'])
        .default('skip')
        .describe(
          '`skip`: what would go above it is not done; `pause`: nor is anything later of that task, until a person resumes it.',
        ),
    })
    .optional()
    .describe('What all agents together may use from midnight to midnight, in `timezone`.'),
  prices: z
    .string()
    .min(1)
    .optional()
    .describe('What models cost: a file, seen from the data directory; `prices.yaml` there when left out.'),
  rate_limit: z
    .strictObject({
      per_second: z.int().min(1).default(200).describe('Requests a second in the long run.'),
      burst: z.int().min(1).default(1000).describe('Requests at once.'),
    })
    .default({ per_second: 200, burst: 1000 })
    .describe('Requests of one token, and deliveries to one hook; more are answered with 429.'),
  limits: z
    .strictObject({
      tasks_per_agent: z
        .int()
        .min(0)
        .max(1_000_000)
        .default(10_000)
        .describe('Tasks an agent may have that are not canceled, unless it has a bound of its own.'),
      spawn_depth: z
        .int()
        .min(0)
        .max(100)
        .default(3)
        .describe('How often a task that a run created may create one in turn.'),
    })
    .prefault({})
    .describe('Bounds on what agents create.'),
  secrets: z
    .strictObject({
      commands: z
        .record(
          z.string().refine(isSecretName, { message: 'can not be the name of a secret' }),
          z.array(z.string().min(1).max(4096)).min(1).max(50),
        )
        .default({})
        .describe(
          'A program that prints the value, by the name of the secret: `TOKEN: [pass, show, pao/token]`. No shell.',
        ),
      command_timeout: durationText(100, 120_000)
        .default('10s')
        .describe('How long such a program may take.'),
    })
    .prefault({})
    .describe('Where secrets come from besides the environment, `secrets.json` and `pao secret set`.'),
  lint: z
    .strictObject({
      rules: z
        .record(z.string(), z.enum(['off', 'warning', 'error']))
        .default({})
        .describe('By name of the rule: `off`, `warning` or `error`.'),
    })
    .default({ rules: {} })
    .describe('`pao lint-scheduler`; the names of the rules are checked by it.'),
});
