import { BaseCommand } from '../cli/base-command.js';
import { Flags } from '../cli/flags.js';
import type { Column } from '../cli/table.js';
import type { ServiceObject } from '../client/api-objects.js';
import { EXIT, PaoError } from '../domain/errors.js';
import type { HealthCheck, HealthReport } from '../domain/health.js';
import type { RunFile } from '../server/supervisor/run-file.js';

const TIMEOUT_MS = 10_000;

/** Says whether the system runs, and how each part of it is. */
export default class Status extends BaseCommand<typeof Status> {
  static override summary = 'Show whether the orchestrator runs, and how it is';
  static override description =
    'Exit code 0: healthy or degraded. 3: nothing runs, it does not answer, or it can not serve requests.';
  static override examples = [
    '<%= config.bin %> status',
    '<%= config.bin %> status --json',
    '<%= config.bin %> status --url http://127.0.0.1:8090',
    '<%= config.bin %> status --services',
  ];
  static override flags = {
    services: Flags.boolean({
      summary: 'List every process, also where all of them are on this machine',
    }),
  };

  async run(): Promise<unknown> {
    const { running, url, token, from } = await this.#target();
    const report = await this.#ask(url, token, from);
    if (report.status === 'unhealthy') process.exitCode = EXIT.unavailable;
    const [services, stopped] = await Promise.all([
      this.#services(url, token),
      this.#pausedByPao(url, token),
    ]);
    await this.#show(report, url, running);
    if (services !== null) await this.#showServices(services);
    for (const check of report.checks)
      if (check.hint !== null && check.status !== 'pass') this.out.hint(check.hint);
    if (stopped !== null && stopped > 0) {
      const { counted } = await import('../domain/counted.js');
      this.out.warn(
        `${counted(stopped, 'task')} paused by pao itself (budget or failures): pao task list --state paused`,
      );
    }
    return {
      ...report,
      services,
      paused_by_pao: stopped,
      url,
      pid: running?.pid ?? null,
      started_at: running?.started_at ?? null,
      home: running?.home ?? null,
      database: running?.database ?? null,
      log_file: running?.log_file ?? null,
      config_file: running?.config_file ?? null,
    };
  }

  /** The server that was named, else the one that runs on this data directory. */
  async #target(): Promise<{ running: RunFile | null; url: string; token: string | null; from?: string }> {
    const connection = this.connection();
    if ((this.flags as { url?: string }).url !== undefined) return { running: null, ...connection };
    const home = this.dataDirectory();
    const { readRunFile } = await import('../server/supervisor/run-file.js');
    const running = readRunFile(home);
    if (running === null) throw (await import('../cli/running-system.js')).notRunning(home);
    return { running, url: running.url, token: connection.token };
  }

  async #ask(url: string, token: string | null, from: string | undefined): Promise<HealthReport> {
    const { askHealth } = await import('../cli/ask-health.js');
    const body = await askHealth({ url, token, from, timeoutMs: TIMEOUT_MS, signal: this.signal });
    if (Array.isArray(body?.checks)) return body;
    throw new PaoError('PAO_STATUS_UNKNOWN', `${url}/health does not answer as pao does.`, {
      exitCode: EXIT.unavailable,
      hints: ['pao status --url http://127.0.0.1:8080'],
    });
  }

  async #show(report: HealthReport, url: string, running: RunFile | null): Promise<void> {
    const { formatDuration } = await import('../domain/duration.js');
    const { paint, symbols } = this.out;
    const word = { healthy: paint.green, degraded: paint.yellow, unhealthy: paint.red }[report.status];
    const since = formatDuration(report.uptime_seconds * 1000);
    const process = running === null ? '' : `, process ${running.pid}`;
    this.out.line(`pao ${report.version} is ${word(report.status)} at ${url} (up ${since}${process})`);
    const mark = { pass: symbols.ok, warn: symbols.warn, fail: symbols.fail };
    const colour = { pass: paint.green, warn: paint.yellow, fail: paint.red };
    const columns: Column<HealthCheck>[] = [
      {
        header: '',
        value: ({ status }) => mark[status],
        style: (text, { status }) => colour[status](text),
      },
      { header: 'part', value: (check) => check.name },
      { header: 'state', value: (check) => check.message, shrink: true },
    ];
    this.out.table(report.checks, columns);
    if (running !== null) {
      this.out.pairs([
        ['dashboard', `${url}/`],
        ['database', running.database],
        ['log', running.log_file],
        ...(running.config_file ? [['configuration', running.config_file] as const] : []),
      ]);
    }
  }

  /** How many tasks wait for somebody to resume them; null when the server does not tell. */
  async #pausedByPao(url: string, token: string | null): Promise<number | null> {
    const { PaoClient } = await import('../client/pao-client.js');
    const { isPausedByPao } = await import('../domain/paused-by-pao.js');
    const client = new PaoClient({ url, token, timeoutMs: TIMEOUT_MS });
    return client.listTasks({ state: 'paused', limit: 1000, signal: this.signal }).then(
      ({ items }) => items?.filter(isPausedByPao).length ?? null,
      () => null,
    );
  }

  /** Null when the server does not tell them: the token may not see them, or the store is away. */
  async #services(url: string, token: string | null): Promise<ServiceObject[] | null> {
    const { PaoClient } = await import('../client/pao-client.js');
    const client = new PaoClient({ url, token, timeoutMs: TIMEOUT_MS });
    return client.listServices({ signal: this.signal }).then(
      ({ items }) => items ?? null,
      () => null,
    );
  }

  /** Of a system on several machines, who is where; of one on this machine alone only when asked for. */
  async #showServices(services: ServiceObject[]): Promise<void> {
    const hosts = new Set(services.map(({ host }) => host));
    if (!(this.flags as { services?: boolean }).services && hosts.size < 2) return;
    const { formatDuration } = await import('../domain/duration.js');
    const now = Date.now();
    const ago = (at: string) => formatDuration(Math.max(0, Math.round((now - Date.parse(at)) / 1000) * 1000));
    const columns: Column<ServiceObject>[] = [
      { header: 'service', value: ({ kind, slot }) => (slot === kind ? kind : `${kind} ${slot}`) },
      { header: 'host', value: ({ host }) => host, shrink: true },
      { header: 'pid', value: ({ pid }) => pid, align: 'right' },
      {
        header: 'runs',
        value: ({ kind, slots_busy, slots_total }) =>
          kind === 'worker' ? `${slots_busy} of ${slots_total}` : null,
      },
      { header: 'tags', value: ({ tags }) => tags.join(', ') || null },
      { header: 'version', value: ({ version }) => version },
      { header: 'up', value: ({ started_at }) => ago(started_at), align: 'right' },
      { header: 'last sign', value: ({ last_seen_at }) => `${ago(last_seen_at)} ago`, align: 'right' },
    ];
    this.out.line('');
    this.out.table(services, columns);
  }
}
