import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent, AgentToken } from '../../domain/agent.js';
import type { Task } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import type { LoadedConfig } from '../../server/config.js';
import { loadConfig } from '../../server/config.js';
import { readDatabaseUrl } from '../../server/store/database-url.js';
import { type Inspection, inspectDatabase } from '../../server/store/inspect.js';
import { openStore } from '../../server/store/open.js';
import type { Store } from '../../server/store/store.js';
import { type RunFile, readRunFile } from '../../server/supervisor/run-file.js';
import { CheckSkipped } from '../check.js';

/** Tasks are looked through up to this many: doctor is to be quick. */
const MAX_TASKS = 20_000;

/** Something wrong that can be put right without a person thinking about it. */
export interface Fix {
  /** The check that found it. */
  check: string;
  /** What is done, in words: `make credentials.json private`. */
  what: string;
  /** The database is backed up before. */
  touchesDatabase: boolean;
  run(): Promise<void>;
}

/** Where doctor looks. Everything can be another one, so that a test can break it. */
export interface DoctorPlace {
  home: string;
  userHome: string;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  packageRoot: string;
  /** Of the pao that is installed. */
  version: string;
  nodeVersion: string;
  /** `/proc/self/limits`. */
  limitsFile: string;
  /** Minutes a zone is east of UTC at an instant; null when it is unknown. */
  offsetAt(instant: string, timeZone: string): number | null;
  /** Bytes free below which there is a warning, and a failure. */
  lowDisk: { warn: number; fail: number };
  /** Bytes of the write-ahead log, and unused in the database, above which there is a warning. */
  muchSpace: { log: number; unused: number };
  /** What may start pao after a reboot. */
  reboot: {
    /** Why nothing is to; null on a person's own machine. */
    whyNot: string | null;
    /** Folders of units and daemons of the whole machine. */
    folders: readonly string[];
    /** `crontab -l`; empty when there is none. */
    crontab(): Promise<string>;
  };
  now(): number;
}

/** What the checks of doctor share; everything is looked at once, when it is first asked for, and nothing is changed. */
export class DoctorContext {
  readonly fixes: Fix[] = [];
  #config: Promise<LoadedConfig> | null = null;
  #inspection: Promise<Inspection> | null = null;
  #store: Promise<Store> | null = null;
  #tasks: Promise<Task[]> | null = null;
  #tools: Promise<Tool[]> | null = null;
  #agents: Promise<{ agent: Agent; tokens: AgentToken[] }[]> | null = null;

  /** @param target address of a server that is asked over HTTP alone (`--target`); null: the one of the data directory. */
  constructor(
    readonly place: DoctorPlace,
    readonly target: string | null = null,
  ) {}

  /** Offers to put something right; done with `--fix` alone. */
  offer(fix: Fix): void {
    this.fixes.push(fix);
  }

  path(...names: string[]): string {
    return join(this.place.home, ...names);
  }

  /** @throws PaoError when the configuration is wrong. */
  config(): Promise<LoadedConfig> {
    const { env, cwd } = this.place;
    this.#config ??= loadConfig({ env: env as NodeJS.ProcessEnv, cwd });
    return this.#config;
  }

  async databaseUrl(): Promise<string> {
    const loaded = await this.config().catch(() => {
      throw new CheckSkipped(
        'Which database it is can not be told: the configuration is wrong.',
        'pao doctor --only config.*',
      );
    });
    return loaded.config.database_url ?? `sqlite:${this.path('orchestrator.db')}`;
  }

  /** The server that runs on the data directory; null when none does. */
  running(): RunFile | null {
    return readRunFile(this.place.home);
  }

  /** @throws CheckSkipped when nothing runs. */
  server(): RunFile {
    const running = this.running();
    if (running === null) throw new CheckSkipped('pao does not run.', 'pao start local');
    return running;
  }

  /** Where the server answers. @throws CheckSkipped when nothing runs. */
  serverUrl(): string {
    return this.target ?? this.server().url;
  }

  /** The database as a whole. @throws CheckSkipped when there is none yet; PaoError when it can not be opened. */
  async database(): Promise<Inspection> {
    const url = await this.databaseUrl();
    const read = readDatabaseUrl(url);
    if (read?.engine === 'sqlite' && (read.path === ':memory:' || !existsSync(read.path)))
      throw new CheckSkipped('There is no database yet.', 'pao start local');
    this.#inspection ??= inspectDatabase(url);
    return this.#inspection;
  }

  /** What the database holds. @throws CheckSkipped when this pao can not read it. */
  async store(): Promise<Store> {
    const database = await this.database();
    const { current, wanted } = await database.schema();
    if (current !== wanted)
      throw new CheckSkipped(
        `The database has another schema (${current}) than this pao (${wanted}).`,
        'pao doctor --only database.schema',
      );
    const url = await this.databaseUrl();
    this.#store ??= openStore({ url, readonly: true });
    return this.#store;
  }

  /** The newest tasks that are not canceled, {@link MAX_TASKS} at most. */
  tasks(): Promise<Task[]> {
    this.#tasks ??= this.store().then(async (store) => {
      const tasks: Task[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listTasks({ states: ['active', 'paused', 'done'], limit: 1000, cursor });
        tasks.push(...page.items);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined && tasks.length < MAX_TASKS);
      return tasks;
    });
    return this.#tasks;
  }

  /** The whole catalog. */
  tools(): Promise<Tool[]> {
    this.#tools ??= this.store().then(async (store) => {
      const tools: Tool[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listTools({ limit: 1000, cursor });
        tools.push(...page.items.map(({ tool }) => tool));
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      return tools;
    });
    return this.#tools;
  }

  /** Every agent that may call, with its tokens. */
  agents(): Promise<{ agent: Agent; tokens: AgentToken[] }[]> {
    this.#agents ??= this.store().then(async (store) => {
      const agents: { agent: Agent; tokens: AgentToken[] }[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.listAgents({ limit: 1000, cursor });
        for (const agent of page.items)
          if (agent.disabledAt === null) agents.push({ agent, tokens: await store.listTokens(agent.id) });
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      return agents;
    });
    return this.#agents;
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled([this.#inspection, this.#store]);
    for (const one of opened) if (one.status === 'fulfilled') await one.value?.close();
    this.#inspection = null;
    this.#store = null;
  }
}
