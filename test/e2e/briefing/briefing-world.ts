import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { type ChatFault, DEMO_MODEL, startChatServer } from '../../../src/demo/chat-server.js';
import { type LoopbackServer, startLoopbackServer } from '../../../src/demo/loopback-server.js';
import { type MailServer, startMailServer } from '../../../src/demo/mail-server.js';
import { startTelegramServer, type TelegramServer } from '../../../src/demo/telegram-server.js';
import { writeBriefingTask, writeBriefingTools } from '../../../src/demo/templates/briefing.js';
import { startWeatherServer, type WeatherFault } from '../../../src/demo/weather-server.js';
import {
  BRIEFING_LETTERS,
  createImapMailSource,
  type Letter,
  startImapServer,
} from '../../demo/imap-mailbox.js';
import { type Pao, until } from '../start-pao.js';

export const MAIL_SECRET = 'mail-secret-1f0c9b';
export const BOT_TOKEN = '123456:TEST-bot-token';
export const CLOCK = '2026-11-24T06:29:30Z';

const builtCalendar = [fileURLToPath(new URL('../../../dist/demo/calendar.cjs', import.meta.url))];
/** The calendar server from source, for tests that need no build. */
export const SOURCE_CALENDAR = [
  '--import',
  'tsx',
  fileURLToPath(new URL('../../../src/demo/servers/calendar.ts', import.meta.url)),
];
const calendarFile = fileURLToPath(new URL('../../demo/fixtures/briefing.ics', import.meta.url));

export type Json = Record<string, unknown>;

/** A step of a run as the API shows it. */
export interface StepView extends Json {
  id: string;
  status: string;
  reason: string | null;
  attempts: number;
  input: unknown;
  output: unknown;
  error: { kind: string; message: string; pointer?: string } | null;
  usage: { input_tokens: number; output_tokens: number } | null;
}

/** A run as the API shows it. */
export interface RunView extends Json {
  id: string;
  task_id: string;
  status: string;
  reason: string | null;
  trigger: string;
  scheduled_for: string;
  started_at: string | null;
  attempt: number;
  output: unknown;
  error: { kind: string; message: string } | null;
  steps: StepView[];
  deliveries: DeliveryView[];
}

/** A message of a run as the API shows it. */
export interface DeliveryView extends Json {
  id: string;
  channel: string;
  status: string;
  reason: string | null;
  attempts: number;
  answer: unknown;
}

/** A notice as a webhook gets it. */
export interface NoticeView {
  kind: string;
  text: string;
  task: string;
  last_run_id: string | null;
  reason: string | null;
  hint: string;
}

/** The five servers of the briefing, its files, and what they saw. */
export interface World {
  /** The folder with briefing.yaml and tools.yaml. */
  directory: string;
  weather: LoopbackServer<WeatherFault>;
  mail: MailServer;
  chat: LoopbackServer<ChatFault>;
  telegram: TelegramServer;
  /** What people were told by the webhook of `notify`, oldest first. */
  notices: NoticeView[];
  /** Makes a data directory whose configuration tells people there. */
  makeHome(): string;
  /** What goes wrong with the next calls of the calendar: `exit`, `error`, `hang`, each also with ` once`; null: nothing. */
  breakCalendar(fault: string | null): void;
  /** The inputs of all calendar calls so far. */
  calendarCalls(): Json[];
  /** Writes the secrets the tools refer to into a data directory. */
  writeSecrets(home: string, secrets?: Record<string, string>): void;
  close(): Promise<void>;
}

/** Starts the servers in this process (the IMAP server included) and writes the files for them. */
export async function startWorld(
  options: { letters?: Letter[]; chatUrl?: string; calendar?: string[] } = {},
): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'pao-briefing-'));
  const imap = await startImapServer(options.letters ?? BRIEFING_LETTERS);
  const [weather, mail, chat, telegram] = await Promise.all([
    startWeatherServer({ port: 0 }),
    startMailServer({ port: 0, token: MAIL_SECRET, source: createImapMailSource(imap.port) }),
    startChatServer({ port: 0 }),
    startTelegramServer({ port: 0, token: BOT_TOKEN }),
  ]);
  const notices: NoticeView[] = [];
  const people = await startLoopbackServer({
    name: 'people',
    port: 0,
    answer({ body }) {
      notices.push((JSON.parse(body) as { data: NoticeView }).data);
      return { status: 200, body: {} };
    },
  });
  const faultPath = join(directory, 'calendar-fault');
  const journalPath = join(directory, 'calendar-journal');
  const flags = ['--calendar', calendarFile, '--fault', faultPath, '--journal', journalPath];
  writeFileSync(join(directory, 'briefing.yaml'), writeBriefingTask('Europe/Chisinau'));
  writeFileSync(
    join(directory, 'tools.yaml'),
    writeBriefingTools({
      calendar: { command: process.execPath, args: [...(options.calendar ?? builtCalendar), ...flags] },
      ports: {
        weather: weather.port,
        mail: mail.port,
        chat: options.chatUrl ? Number(new URL(options.chatUrl).port) : chat.port,
        telegram: telegram.port,
      },
      model: DEMO_MODEL,
    }),
  );
  return {
    directory,
    weather,
    mail,
    chat,
    telegram,
    notices,
    makeHome() {
      const home = mkdtempSync(join(tmpdir(), 'pao-e2e-'));
      writeFileSync(join(home, 'pao.config.yaml'), `notify: { webhook: "${people.url}/notices" }\n`);
      return home;
    },
    breakCalendar(fault) {
      if (fault === null) rmSync(faultPath, { force: true });
      else writeFileSync(faultPath, fault);
    },
    calendarCalls: () =>
      existsSync(journalPath)
        ? readFileSync(journalPath, 'utf8')
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line) as Json)
        : [],
    writeSecrets: (home, secrets = { MAIL_TOKEN: MAIL_SECRET, TELEGRAM_BOT_TOKEN: BOT_TOKEN }) =>
      writeFileSync(join(home, 'secrets.json'), JSON.stringify(secrets), { mode: 0o600 }),
    async close() {
      await Promise.all([
        weather.close(),
        mail.close(),
        chat.close(),
        telegram.close(),
        imap.close(),
        people.close(),
      ]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The task of briefing.yaml as an object, to be varied. */
export function briefingTask(world: World): Json & { pipeline: Json[]; schedule?: Json } {
  return parse(readFileSync(join(world.directory, 'briefing.yaml'), 'utf8'));
}

/** The step of a task with this id. */
export function stepOf(task: { pipeline: Json[] }, id: string): Json {
  const step = task.pipeline.find((one) => one.id === id);
  if (!step) throw new Error(`The task has no step ${id}.`);
  return step;
}

/** Hands in a task by its name. */
export async function applyTask(pao: Pao, task: Json): Promise<{ id: string }> {
  const { status, body } = await pao.api<{ id: string }>('PUT', `/v1/tasks/by-name/${task.name}`, task);
  if (status >= 300) throw new Error(`The task was refused: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** Starts a task and waits until its run has ended. */
export async function runTask(pao: Pao, taskId: string): Promise<RunView> {
  const { status, body } = await pao.api<RunView>('POST', `/v1/tasks/${taskId}/run`, {});
  if (status !== 202) throw new Error(`The run was refused: ${status} ${JSON.stringify(body)}`);
  return finishedRun(pao, body.id);
}

const FINAL = ['succeeded', 'partial', 'failed', 'dead', 'canceled', 'skipped', 'missed'];

const onItsWay = ({ status }: DeliveryView): boolean => status === 'pending' || status === 'sending';

/** Waits until a run has ended and its messages are sent or put off, and gives it with its steps. */
export async function finishedRun(pao: Pao, runId: string, timeoutMs = 30_000): Promise<RunView> {
  let last: RunView | null = null;
  return until(
    `run ${runId} to end`,
    async () => {
      last = (await pao.api<RunView>('GET', `/v1/runs/${runId}`)).body;
      return FINAL.includes(last.status) && !last.deliveries.some(onItsWay) ? last : null;
    },
    timeoutMs,
    () => JSON.stringify(last, null, 2),
  );
}

/** All runs of a task, newest first as the API gives them. */
export async function runsOf(pao: Pao, taskId: string): Promise<RunView[]> {
  return (await pao.api<{ items: RunView[] }>('GET', `/v1/runs?task_id=${taskId}&limit=100`)).body.items;
}

/** The one message of a run. */
export function message(run: RunView): DeliveryView {
  const [first, ...more] = run.deliveries;
  if (first === undefined || more.length > 0)
    throw new Error(`The run has ${run.deliveries.length} messages: ${JSON.stringify(run.deliveries)}`);
  return first;
}

/** The step of a run with this id. */
export function step(run: RunView, id: string): StepView {
  const found = run.steps.find((one) => one.id === id);
  if (!found) throw new Error(`The run has no step ${id}: ${JSON.stringify(run.steps.map((one) => one.id))}`);
  return found;
}
