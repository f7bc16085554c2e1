import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { calendarTaskOf, specOf, yamlOf } from '../../cli/render/task-spec.js';
import type { TaskObject } from '../../client/api-objects.js';
import { PaoClient, pages } from '../../client/pao-client.js';
import { PaoError } from '../../domain/errors.js';

/** Writes tasks as the YAML that `task apply` takes back, or as a calendar. */
export default class TaskExport extends BaseCommand<typeof TaskExport> {
  static override summary = 'Write tasks as YAML that task apply takes back, or as a calendar';
  static override description =
    'Without a name, all active tasks. With --ics, a rule that any calendar reads is one entry that repeats; other schedules are written out for the next 90 days.';
  static override examples = [
    '<%= config.bin %> task export morning-briefing > briefing.yaml',
    '<%= config.bin %> task export --ics --output pao.ics',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task; otherwise all' }) };
  static override flags = {
    ics: Flags.boolean({ summary: 'As iCalendar, for a calendar program' }),
    output: Flags.string({ char: 'o', summary: 'Write to this file', helpValue: 'FILE' }),
    force: Flags.boolean({ summary: 'Overwrite the file', dependsOn: ['output'] }),
  };

  async run(): Promise<unknown> {
    const { output, force, ics } = this.flags;
    const tasks = await this.#tasks();
    const text = ics ? await this.#calendar(tasks) : (await Promise.all(tasks.map(yamlOf))).join('---\n');
    if (output === undefined) {
      this.out.raw(text);
    } else {
      await writeNew(this.process.cwd, output, text, force);
      this.out.success(`Wrote ${output}`);
      if (!ics) this.out.hint(`pao task apply ${output}`);
    }
    if (ics) return { tasks: tasks.map(({ name }) => name), ics: text };
    return this.args.name === undefined ? { items: tasks.map(specOf) } : specOf(tasks[0] as TaskObject);
  }

  async #tasks(): Promise<TaskObject[]> {
    const client = new PaoClient(this.connection());
    const options = { signal: this.signal };
    if (this.args.name !== undefined) return [await client.findTask(this.args.name, options)];
    const tasks: TaskObject[] = [];
    for await (const task of pages((cursor) =>
      client.listTasks({ state: 'active', limit: 100, cursor, ...options }),
    ))
      tasks.push(task);
    return tasks;
  }

  async #calendar(tasks: readonly TaskObject[]): Promise<string> {
    const { calendarWindow, taskCalendar } = await import('../../domain/icalendar/task-calendar.js');
    const timed = tasks.flatMap(calendarTaskOf);
    if (timed.length < tasks.length)
      this.out.note(`${tasks.length - timed.length} of ${tasks.length} tasks have no times of their own.`);
    return taskCalendar(timed, calendarWindow(Date.now()));
  }
}

async function writeNew(folder: string, file: string, text: string, force: boolean): Promise<void> {
  const [{ writeFile }, { resolve }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  try {
    await writeFile(resolve(folder, file), text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new PaoError('PAO_FILE_EXISTS', `${file} is there already.`, {
        exitCode: 2,
        hints: [`Add --force to overwrite it`],
      });
    }
    if (code !== 'ENOENT' && code !== 'EISDIR' && code !== 'ENOTDIR') throw error;
    const reason = code === 'EISDIR' ? 'it is a folder' : 'there is no such folder';
    throw new PaoError('PAO_FILE_UNWRITABLE', `${file} cannot be written: ${reason}.`, {
      exitCode: 2,
      cause: error,
    });
  }
}
