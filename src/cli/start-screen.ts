import { REASON_WORDS } from '../domain/reason-words.js';
import { shellWord } from '../domain/shell-word.js';
import type { Output } from './output.js';
import { visible } from './visible.js';

/** A local system that is ready, as `pao start local --json` prints it. */
export interface StartedDocument {
  status: 'started' | 'already_running';
  version: string;
  /** Process that has all the others as children. */
  pid: number;
  /** Process ids by place: `api`, `scheduler`, `w1`, …; empty when another command started the system. */
  pids: Record<string, number>;
  url: string;
  urls: { dashboard: string; api: string; docs: string; health: string; metrics: string };
  home: string;
  database: {
    location: string;
    engine: string | null;
    durability: string | null;
    migrated: { from: number; to: number } | null;
  };
  /** Redis without its password, or `ipc`; null when another command started the system. */
  bus: string | null;
  /** What was configured and the system goes on without. */
  fallbacks: { component: string; message: string; hint: string }[];
  /** Milliseconds each part took to come up. */
  timings: Record<string, number>;
  credentials_file: string;
  /** Whether this start made the administrator's token. */
  token_created: boolean;
  log_file: string;
  /** Since when nothing ran before this start, RFC 3339; null at the first start. */
  down_since: string | null;
  /** Occurrences that came due in between and what became of them; null when there are none. */
  backlog: {
    tasks: number;
    caught_up: number;
    missed: number;
    skipped: number;
    reasons: Record<string, number>;
    /** RFC 3339, the first of them. */
    first: string;
  } | null;
  /** The zone database changed with Node, and due times with it; null when it did not. */
  zone_database: { from: string; to: string; moved: number; tasks: string[] } | null;
  /** Whether the process goes on in the background. */
  detached: boolean;
}

/** Where things are under the URL of a server. */
export function urlsOf(url: string): StartedDocument['urls'] {
  return {
    dashboard: `${url}/`,
    api: `${url}/v1`,
    docs: `${url}/docs`,
    health: `${url}/health`,
    metrics: `${url}/metrics`,
  };
}

const DURABILITY: Record<string, string> = {
  full: 'what was acknowledged survives a power loss',
  normal: 'survives a crash; a power loss may take the last moments',
};

/** The screen after a start: what runs, where it is, and what to type next. */
export function startScreen(document: StartedDocument, out: Output, homeIsGiven: boolean): string {
  const { paint } = out;
  const { database, urls } = document;
  const durable =
    database.durability === null ? '' : ` (${DURABILITY[database.durability] ?? database.durability})`;
  const processes = [
    `supervisor ${document.pid}`,
    ...Object.entries(document.pids).map(([slot, pid]) => `${slot} ${pid}`),
  ];
  const rows: [name: string, value: string][] = [
    ['Dashboard', `${urls.dashboard} (pao dashboard signs you in)`],
    ['API', urls.api],
    ['Docs', urls.docs],
    ['Health', urls.health],
    ['Metrics', urls.metrics],
    ['Processes', processes.join(', ')],
    ['Database', `${visible(database.location)}${durable}`],
    ...(document.bus === null || document.bus === 'ipc'
      ? []
      : ([['Redis', visible(document.bus)]] satisfies [string, string][])),
    ['Token', `${visible(document.credentials_file)}${document.token_created ? ' (new)' : ''}`],
    ['Log', visible(document.log_file)],
  ];
  const lines = [`pao ${document.version} runs at ${paint.bold(document.url)}`, ''];
  for (const [name, value] of rows) lines.push(`  ${paint.dim(name.padEnd(9))}  ${value}`);
  lines.push('', document.detached ? 'Next:' : 'Next, in a second terminal:');
  if (homeIsGiven) lines.push(`  export PAO_HOME=${shellWord(visible(document.home))}`);
  for (const command of ['pao init briefing --demo', 'pao task list', 'pao status'])
    lines.push(`  ${paint.cyan(command)}`);
  lines.push('', document.detached ? 'It goes on in the background; pao stop ends it.' : 'Ctrl-C stops it.');
  return lines.join('\n');
}

/** What came due while nothing ran, what became of it and how to see it; nothing at the first start. */
export function whileDownLines({ down_since: since, backlog, zone_database: zones }: StartedDocument): {
  notes: string[];
  hints: string[];
} {
  const notes: string[] = [];
  const hints: string[] = [];
  if (since !== null && backlog === null)
    notes.push(`Nothing ran since ${since}; nothing came due meanwhile.`);
  if (backlog !== null) {
    const { tasks, caught_up: caughtUp, missed, skipped, reasons } = backlog;
    const total = caughtUp + missed + skipped;
    const parts = [
      caughtUp > 0 ? `${caughtUp} ${caughtUp === 1 ? 'runs' : 'run'} now` : '',
      missed > 0 ? `${missed} missed` : '',
      skipped > 0 ? `${skipped} skipped` : '',
    ].filter((part) => part !== '');
    const down = since === null ? '' : ` since ${since}`;
    notes.push(
      `While nothing ran${down}, ${total} ${total === 1 ? 'occurrence' : 'occurrences'} of ${tasks} ${tasks === 1 ? 'task' : 'tasks'} came due: ${parts.join(', ')}.`,
    );
    for (const [reason, count] of Object.entries(reasons))
      notes.push(`  ${count} ${reason}: ${REASON_WORDS[reason] ?? reason}`);
    if (missed + skipped > 0) hints.push(`pao run list --status missed,skipped --since ${backlog.first}`);
    else hints.push(`pao run list --since ${backlog.first}`);
  }
  if (zones !== null) {
    const moved = zones.moved === 0 ? 'no due time moved' : `due times moved: ${zones.tasks.join(', ')}`;
    const more = zones.moved > zones.tasks.length ? ` and ${zones.moved - zones.tasks.length} more` : '';
    notes.push(`The time zone database went from ${zones.from} to ${zones.to}; ${moved}${more}.`);
    if (zones.tasks[0] !== undefined) hints.push(`pao task explain ${zones.tasks[0]}`);
  }
  return { notes, hints };
}

/** What a start says when the data directory is in use already. */
export function alreadyRunningText(document: Pick<StartedDocument, 'pid' | 'url' | 'home'>): string {
  return `pao is already running: process ${document.pid}, ${document.url} (data in ${visible(document.home)})`;
}
