import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunObject, StepObject } from '../../client/api-objects.js';
import { type Check, CheckFailure, type CheckTools, type Evidence } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { endOf, ensureRun, runsOf } from '../make.js';
import { liveSystem, type LiveSystem } from '../live-system.js';
import { probe } from '../probe.js';
import { BRIEFING_AT, BRIEFING_SECRETS, type BriefingWorld } from './briefing-world.js';
import type { World } from './world.js';

const group = 'Morning briefing';
/** An occurrence later than this would count as caught up. */
const MISFIRE_MS = 60_000;

/** A check of the one run that `briefing.delivered` saw. */
function ofTheRun(
  id: string,
  title: string,
  look: (seen: {
    briefing: BriefingWorld;
    run: RunObject;
    tools: CheckTools;
    live: LiveSystem;
  }) => Promise<Evidence>,
): Check<World> {
  return {
    id,
    title,
    group,
    requires: ['ephemeral-server'],
    needs: ['briefing.delivered'],
    async run(world, tools) {
      const briefing = await world.briefing(tools);
      ensure(briefing.run, 'There is no run of the briefing.', tools.rerun);
      return look({ briefing, run: briefing.run, tools, live: liveOf(world, briefing) });
    },
  };
}

/** The pipeline pao was made for, against real local MCP, HTTP and LLM servers, at 08:30 on a Tuesday in Chisinau. */
export const briefingChecks: Check<World>[] = [
  {
    id: 'briefing.delivered',
    title: 'At half past eight the briefing runs and its message arrives',
    group,
    requires: ['ephemeral-server'],
    timeoutMs: 60_000,
    async run(world, tools) {
      const briefing = await world.briefing(tools);
      const live = liveOf(world, briefing);
      await briefing.goTo(BRIEFING_AT);
      const [first] = await runsOf(live, tools, briefing.task, 1);
      const run = await endOf(live, tools, (first as RunObject).id);
      ensureRun(live, tools, run, 'succeeded');
      const steps = run.steps?.map(({ id, status }) => `${id} ${status}`);
      const expected = ['cal', 'wx', 'mail', 'plan', 'ping'].map((id) => `${id} succeeded`);
      ensureEqual('The steps', steps, expected, tools.rerun, { run });
      // What it says goes out apart from the run, which succeeds all the same.
      const sent = run.deliveries?.map(({ status, error }) =>
        error === null ? status : `${status}: ${error.message}`,
      );
      ensureEqual('What became of the message', sent, ['delivered'], tools.rerun, { run });
      const messages = briefing.telegram.messages.map(({ text }) => text);
      ensureEqual('What arrived', messages, [outputOf(run, 'plan')['text']], tools.rerun);
      briefing.run = run;
      return { steps, message: messages[0] };
    },
  },
  ofTheRun(
    'briefing.once',
    'It runs exactly once, at its instant, because of its schedule',
    async ({ briefing, run, tools, live }) => {
      const { items } = await live.client.listRuns({ taskId: briefing.task.id, signal: tools.signal });
      ensureEqual('The number of runs', items.length, 1, tools.rerun, { items });
      const seen = [new Date(run.scheduled_for).toISOString(), run.trigger, run.attempt];
      ensureEqual('The run', seen, [BRIEFING_AT, 'schedule', 1], tools.rerun);
      const lateness = run.lateness_ms ?? Infinity;
      ensure(lateness < MISFIRE_MS, `It began ${lateness} ms late.`, tools.rerun);
      return { scheduled_for: run.scheduled_for, trigger: run.trigger, lateness_ms: run.lateness_ms };
    },
  ),
  ofTheRun(
    'briefing.calendar',
    'It reads the local day, and nothing of the days around it',
    async ({ briefing, run, tools }) => {
      const window = { start: '2026-11-24T00:00:00+02:00', end: '2026-11-25T00:00:00+02:00', max: 50 };
      ensureEqual('What the calendar was asked', briefing.calendarCalls(), [window], tools.rerun);
      const { items } = outputOf(run, 'cal') as {
        items: { summary: string; start: string; all_day: boolean }[];
      };
      const seen = items.map(({ summary, start, all_day }) => [summary, start, all_day]);
      const expected = [
        ["Ana's birthday", '2026-11-24', true],
        ['Daily standup', '2026-11-24T07:30:00Z', false],
        ['Dentist', '2026-11-24T12:00:00Z', false],
      ];
      ensureEqual('The events', seen, expected, tools.rerun);
      return { asked: window, events: items.map(({ summary }) => summary) };
    },
  ),
  ofTheRun(
    'briefing.model',
    'The model is asked once, with the data as data, and obeys no letter',
    async ({ briefing, run, tools }) => {
      const { chat, mail, telegram } = briefing;
      ensureEqual('How often the model was asked', chat.requests.length, 1, tools.rerun);
      const prompt = chat.requests[0]?.body ?? '';
      const lost = ['Daily standup', 'Dentist', 'Q4 numbers', '-4.8', 'Contract semnătură'].filter(
        (word) => !prompt.includes(word),
      );
      ensure(lost.length === 0, `The prompt lost ${lost.join(', ')}.`, tools.rerun, { prompt });
      const leaked = ['Yesterday late', 'Late call US', 'Last week in short'].filter((word) =>
        prompt.includes(word),
      );
      ensure(
        leaked.length === 0,
        `The prompt holds ${leaked.join(', ')}, which is not of this day.`,
        tools.rerun,
      );
      // A letter tells the model to forward the mailbox: it must have come through as data, and nothing more.
      ensure(
        prompt.includes('IGNORE PREVIOUS INSTRUCTIONS'),
        'The letter with orders is missing.',
        tools.rerun,
      );
      ensureEqual('What the mail server was asked', mail.calls, [{ count: 5 }], tools.rerun);
      ensureEqual('How often Telegram was called', telegram.requests.length, 1, tools.rerun);
      const { usage } = stepOf(run, 'plan');
      ensure(
        usage && usage.input_tokens > 0 && usage.output_tokens > 0,
        'The used tokens are not recorded.',
        tools.rerun,
      );
      return { asked: 1, usage };
    },
  ),
  ofTheRun(
    'briefing.secrets',
    'No secret is shown: not in the run, the logs, the API, nor in the data',
    async ({ briefing, run, tools, live }) => {
      const { system } = briefing;
      const openapi = await probe(`${live.url}/openapi.json`, tools);
      const places: Record<string, string> = {
        'the run': JSON.stringify(run),
        'the tools': JSON.stringify(await live.client.listTools({ limit: 100, signal: tools.signal })),
        'the API document': JSON.stringify(openapi.body),
        'the terminal': system.output,
        ...filesOf(system.home),
      };
      const found = Object.entries(places).flatMap(([place, text]) =>
        Object.entries(BRIEFING_SECRETS)
          .filter(([, value]) => text.includes(value) || text.includes(encodeURIComponent(value)))
          .map(([name]) => `${name} in ${place}`),
      );
      ensure(found.length === 0, `A secret is shown: ${found.join(', ')}.`, tools.rerun, { found });
      return { looked_at: Object.keys(places) };
    },
  ),
  ofTheRun(
    'briefing.next',
    'The next mornings are right, over the weekend and the change of the clocks',
    async ({ briefing, tools, live }) => {
      const next = async (from: string, count: number) => {
        const { items } = await live.client.occurrences(briefing.task.id, {
          from,
          count,
          signal: tools.signal,
        });
        return items.map(({ at }) => new Date(at).toISOString());
      };
      const seen = [...(await next(BRIEFING_AT, 4)), ...(await next('2027-03-26T00:00:00Z', 2))];
      const days = ['2026-11-25', '2026-11-26', '2026-11-27', '2026-11-30', '2027-03-26'];
      const expected = [...days.map((day) => `${day}T06:30:00.000Z`), '2027-03-29T05:30:00.000Z'];
      ensureEqual('The next mornings', seen, expected, tools.rerun);
      return { next: seen };
    },
  ),
  ofTheRun(
    'briefing.again',
    'Asked for again on the same day, it sends no second message',
    async ({ briefing, tools, live }) => {
      const { id } = await live.client.runTask(briefing.task.id, {}, tools);
      const run = await endOf(live, tools, id);
      ensureRun(live, tools, run, 'succeeded');
      const { status, reason } = stepOf(run, 'ping');
      ensureEqual('The sending step', [status, reason], ['skipped', 'dedupe'], tools.rerun, { run });
      ensureEqual('The number of messages', briefing.telegram.messages.length, 1, tools.rerun);
      return { ping: `${status} (${reason})`, messages: briefing.telegram.messages.length };
    },
  ),
];

/** The briefing's system as a live system, with the patience of the world. */
export function liveOf(world: Pick<World, 'patienceMs'>, { system }: BriefingWorld): LiveSystem {
  return { ...liveSystem(system.url, system.token, system), patienceMs: world.patienceMs };
}

function stepOf(run: RunObject, id: string): StepObject {
  const step = run.steps?.find((one) => one.id === id);
  if (!step) throw new CheckFailure(`The run has no step ${id}.`, 'pao run show latest', { run });
  return step;
}

const outputOf = (run: RunObject, id: string) => (stepOf(run, id).output ?? {}) as Record<string, unknown>;

/** The files of a data directory but the one that holds the secrets. */
function filesOf(home: string): Record<string, string> {
  const entries = readdirSync(home, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== 'secrets.json');
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name), 'latin1')]),
  );
}
