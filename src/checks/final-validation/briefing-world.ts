import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { ChangedTaskObject, RunObject } from '../../client/api-objects.js';
import { pause } from '../../client/http-transport.js';
import { ApiError } from '../../client/problem-error.js';
import type { TaskInput } from '../../domain/task.js';
import { type ChatFault, DEMO_MODEL, startChatServer } from '../../demo/chat-server.js';
import type { LoopbackServer } from '../../demo/loopback-server.js';
import { type MailServer, startMailServer } from '../../demo/mail-server.js';
import { createMaildirSource } from '../../demo/maildir-source.js';
import { writeSampleMailbox } from '../../demo/sample-mailbox.js';
import { startTelegramServer, type TelegramServer } from '../../demo/telegram-server.js';
import { writeBriefingTask, writeBriefingTools } from '../../demo/templates/briefing.js';
import { startWeatherServer, type WeatherFault } from '../../demo/weather-server.js';
import { EphemeralSystem, type EphemeralSystemOptions } from '../ephemeral-system.js';
import { BRIEFING_CALENDAR } from './briefing-calendar.js';

/** The occurrence of the briefing that is checked: Tuesday, 24 November 2026, 08:30 in Chisinau. */
export const BRIEFING_AT = '2026-11-24T06:30:00.000Z';
/** When the system's clock starts: late enough that nothing is due before it, early enough to import the tools. */
const CLOCK = '2026-11-24T06:00:00Z';
/** How long before the occurrence the clock is put. */
const LEAD_MS = 500;

/** The secrets of the briefing, which nothing may show. */
export const BRIEFING_SECRETS = {
  MAIL_TOKEN: 'mail-secret-7c41d2',
  TELEGRAM_BOT_TOKEN: '123456:CHECK-bot-token',
};

/** A system on a clock of its own, the five servers of the briefing, and the task. */
export interface BriefingWorld {
  system: EphemeralSystem;
  weather: LoopbackServer<WeatherFault>;
  mail: MailServer;
  chat: LoopbackServer<ChatFault>;
  telegram: TelegramServer;
  task: ChangedTaskObject;
  /** The task as it was handed in. */
  spec: TaskInput;
  /** The inputs of all calls of the calendar so far. */
  calendarCalls(): unknown[];
  /** The run of {@link BRIEFING_AT}; set by the check that saw it. */
  run: RunObject | null;
  /** What the system's clock shows, epoch milliseconds. */
  now(): Promise<number>;
  /** Puts the clock to a moment before an instant. */
  goTo(instant: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts everything and hands in the tools and the task; nothing has run when it returns. */
export async function startBriefingWorld(
  options: Pick<EphemeralSystemOptions, 'packageRoot' | 'signal'> & { progress?: (text: string) => void },
): Promise<BriefingWorld> {
  options.progress?.('starting a system and the servers of the briefing');
  const system = await EphemeralSystem.start({ ...options, clock: CLOCK, secrets: BRIEFING_SECRETS });
  const folder = join(system.directory, 'briefing');
  mkdirSync(folder);
  const servers: { close(): Promise<void> }[] = [];
  const close = async () => {
    await Promise.all(servers.map((server) => server.close()));
    await system.dispose();
  };
  try {
    await writeSampleMailbox(join(folder, 'mail'), Date.parse(BRIEFING_AT));
    writeFileSync(join(folder, 'calendar.ics'), BRIEFING_CALENDAR);
    const source = createMaildirSource(join(folder, 'mail'));
    const { MAIL_TOKEN, TELEGRAM_BOT_TOKEN } = BRIEFING_SECRETS;
    const [weather, mail, chat, telegram] = await Promise.all([
      startWeatherServer({ port: 0 }),
      startMailServer({ port: 0, token: MAIL_TOKEN, source }),
      startChatServer({ port: 0 }),
      startTelegramServer({ port: 0, token: TELEGRAM_BOT_TOKEN }),
    ]);
    servers.push(weather, mail, chat, telegram);
    const journal = join(folder, 'calendar-calls');
    const calendar = join(options.packageRoot, 'dist', 'demo', 'calendar.cjs');
    const args = [calendar, '--calendar', join(folder, 'calendar.ics'), '--journal', journal];
    const catalog = writeBriefingTools({
      calendar: { command: process.execPath, args },
      ports: { weather: weather.port, mail: mail.port, chat: chat.port, telegram: telegram.port },
      model: DEMO_MODEL,
    });
    const { client } = system;
    const { signal } = options;
    await onceItCan(() => client.importTools(parse(catalog), { signal }), signal);
    const spec = parse(writeBriefingTask('Europe/Chisinau')) as TaskInput;
    const task = await onceItCan(() => client.applyTask(spec, { signal }), signal);
    const now = async () => {
      const answer = await client.request<{ now: string }>({ method: 'GET', path: '/v1/clock' });
      return Date.parse(answer.now);
    };
    return {
      system,
      weather,
      mail,
      chat,
      telegram,
      task,
      spec,
      run: null,
      now,
      calendarCalls: () => readLines(journal),
      goTo: async (instant) => {
        const ms = Date.parse(instant) - LEAD_MS - (await now());
        if (ms > 0) await system.advance(ms);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Asks again when a system that has only just started says that it can not keep up (503), for a while. */
async function onceItCan<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let left = 20; ; left--) {
    try {
      return await ask();
    } catch (error) {
      if (left === 0 || !(error instanceof ApiError) || error.httpStatus !== 503) throw error;
      await pause(error.retryAfterMs ?? 500, signal);
    }
  }
}

function readLines(file: string): unknown[] {
  try {
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as unknown);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
