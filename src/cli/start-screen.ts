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
  urls: { api: string; docs: string; health: string; metrics: string };
  home: string;
  database: {
    location: string;
    engine: string | null;
    durability: string | null;
    migrated: { from: number; to: number } | null;
  };
  credentials_file: string;
  /** Whether this start made the administrator's token. */
  token_created: boolean;
  log_file: string;
  /** Since when nothing ran before this start, RFC 3339; null at the first start. */
  down_since: string | null;
  /** Whether the process goes on in the background. */
  detached: boolean;
}

/** Where things are under the URL of a server. */
export function urlsOf(url: string): StartedDocument['urls'] {
  return { api: `${url}/v1`, docs: `${url}/docs`, health: `${url}/health`, metrics: `${url}/metrics` };
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
    ['API', urls.api],
    ['Docs', urls.docs],
    ['Health', urls.health],
    ['Metrics', urls.metrics],
    ['Processes', processes.join(', ')],
    ['Database', `${visible(database.location)}${durable}`],
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

/** What a start says when the data directory is in use already. */
export function alreadyRunningText(document: Pick<StartedDocument, 'pid' | 'url' | 'home'>): string {
  return `pao is already running: process ${document.pid}, ${document.url} (data in ${visible(document.home)})`;
}

function shellWord(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
