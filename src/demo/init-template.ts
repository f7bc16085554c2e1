import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../domain/clock.js';
import { makeFolder } from '../server/supervisor/make-folder.js';
import { DEMO_MODEL } from './chat-server.js';
import {
  DEMO_PORTS,
  type DemoGroup,
  findRunning,
  portsOf,
  readDemoGroup,
  startDemoGroup,
  stopDemoGroup,
} from './demo-group.js';
import { ensureSecrets } from './demo-secrets.js';
import { writeSampleCalendar } from './sample-calendar.js';
import { writeSampleMailbox } from './sample-mailbox.js';
import { BRIEFING_SECRETS, writeBriefingTools } from './templates/briefing.js';
import { TEMPLATES } from './templates/index.js';

/** The folder, next to the files, that everything of the demo is kept in. */
export const DEMO_FOLDER = '.pao-demo';

export interface InitTemplateOptions {
  /** Which one: a name of {@link TEMPLATES}. */
  template: string;
  /** Where the files go; it is made when it is not there. */
  directory: string;
  /** IANA zone of the schedule. */
  timezone: string;
  /** Overwrite files that are there and say something else. */
  force: boolean;
  /** Start the demo servers. */
  demo: boolean;
  /** The data directory, whose `secrets.json` gets the tokens of the demo servers. */
  home: string;
  /** The folder with the entries of the demo servers, `dist/demo` of the package. */
  serversDirectory: string;
  /** How the entries are run: `.cjs` files of the bundle when left out; tests run the source. */
  entries?: { extension: string; nodeArguments: string[] };
  clock: Clock;
}

/** What became of one file. */
export interface WrittenFile {
  path: string;
  /** `kept`: it was there with another content, and was not touched. */
  outcome: 'written' | 'unchanged' | 'kept';
}

export interface InitTemplateResult {
  /** Name of the task it makes. */
  task: string;
  files: WrittenFile[];
  /** The demo servers that run now; null when none were asked for. */
  demo: (DemoGroup & { wasRunning: boolean }) | null;
  secrets: { path: string; added: string[] } | null;
  /** A kept tools.yaml points at other ports than the demo servers listen on. */
  portsDiffer: boolean;
}

/**
 * Writes the task of a template (`briefing.yaml`) and `tools.yaml`, and with `demo` starts the demo servers and makes their tokens known.
 * Files that are there are kept unless `force` is set.
 */
export async function initTemplate(options: InitTemplateOptions): Promise<InitTemplateResult> {
  const { directory, timezone, serversDirectory } = options;
  const template = TEMPLATES.find(({ name }) => name === options.template);
  if (template === undefined) throw new Error(`There is no template ${options.template}.`);
  const { extension, nodeArguments } = entriesOf(options);
  const demoDirectory = join(directory, DEMO_FOLDER);
  const calendarPath = join(demoDirectory, 'calendar.ics');
  makeFolder(demoDirectory, 0o777);
  // What the demo makes has no place in anyone's repository.
  await writeFile(join(demoDirectory, '.gitignore'), '*\n');
  if (options.force || !existsSync(calendarPath)) {
    await writeFile(calendarPath, writeSampleCalendar({ now: options.clock.now(), timezone }));
  }
  const started = options.demo ? await startDemo(options, demoDirectory) : null;
  const recorded = started?.demo ?? (await readDemoGroup(demoDirectory));
  const ports = recorded ? portsOf(recorded) : DEMO_PORTS;
  const tools = writeBriefingTools({
    calendar: {
      command: process.execPath,
      args: [...nodeArguments, join(serversDirectory, `calendar${extension}`), '--calendar', calendarPath],
    },
    ports,
    model: DEMO_MODEL,
  });
  const toolsPath = join(directory, 'tools.yaml');
  const files = [
    await writeUnlessThere(join(directory, `${template.name}.yaml`), template.write(timezone), options.force),
    await writeUnlessThere(toolsPath, tools, options.force),
  ];
  const present = await readFile(toolsPath, 'utf8');
  return {
    task: template.task,
    files,
    demo: started?.demo ?? null,
    secrets: started?.secrets ?? null,
    portsDiffer:
      started !== null && !Object.values(ports).every((port) => present.includes(`127.0.0.1:${port}`)),
  };
}

const entriesOf = (options: InitTemplateOptions) =>
  options.entries ?? { extension: '.cjs', nodeArguments: [] };

async function startDemo(options: InitTemplateOptions, demoDirectory: string) {
  const { path, values, added } = await ensureSecrets(options.home, {
    [BRIEFING_SECRETS.mail]: randomBytes(24).toString('base64url'),
    [BRIEFING_SECRETS.telegram]: `123456:${randomBytes(24).toString('base64url')}`,
  });
  const secrets = { path, added };
  const before = await readDemoGroup(demoDirectory);
  // A token that is new is not the one that running servers know.
  if (before && added.length === 0 && (await findRunning(before)).length === before.servers.length) {
    return { demo: { ...before, wasRunning: true }, secrets };
  }
  await stopDemoGroup(demoDirectory);
  if (!existsSync(join(demoDirectory, 'mailbox'))) {
    await writeSampleMailbox(join(demoDirectory, 'mailbox'), options.clock.now());
  }
  const group = await startDemoGroup({
    directory: demoDirectory,
    entry: join(options.serversDirectory, `group${entriesOf(options).extension}`),
    nodeArguments: entriesOf(options).nodeArguments,
    ports: before ? portsOf(before) : DEMO_PORTS,
    tokens: {
      mail: values[BRIEFING_SECRETS.mail] as string,
      telegram: values[BRIEFING_SECRETS.telegram] as string,
    },
  });
  return { demo: { ...group, wasRunning: false }, secrets };
}

async function writeUnlessThere(path: string, text: string, force: boolean): Promise<WrittenFile> {
  const present = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (present === text) return { path, outcome: 'unchanged' };
  if (present !== null && !force) return { path, outcome: 'kept' };
  await writeFile(path, text);
  return { path, outcome: 'written' };
}
