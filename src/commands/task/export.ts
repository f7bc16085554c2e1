import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { specOf, yamlOf } from '../../cli/render/task-spec.js';
import { PaoClient } from '../../client/pao-client.js';
import { PaoError } from '../../domain/errors.js';

/** Writes a task as the YAML that `task apply` takes back. */
export default class TaskExport extends BaseCommand<typeof TaskExport> {
  static override summary = 'Write a task as YAML that task apply takes back';
  static override examples = [
    '<%= config.bin %> task export morning-briefing > briefing.yaml',
    '<%= config.bin %> task export morning-briefing --output briefing.yaml',
  ];
  static override args = { name: Args.string({ summary: 'Name or id of the task', required: true }) };
  static override flags = {
    output: Flags.string({ char: 'o', summary: 'Write to this file', helpValue: 'FILE' }),
    force: Flags.boolean({ summary: 'Overwrite the file', dependsOn: ['output'] }),
  };

  async run(): Promise<Record<string, unknown>> {
    const { output, force } = this.flags;
    const client = new PaoClient(this.connection());
    const task = await client.findTask(this.args.name, { signal: this.signal });
    const yaml = await yamlOf(task);
    if (output === undefined) {
      this.out.raw(yaml);
    } else {
      await writeNew(this.process.cwd, output, yaml, force);
      this.out.success(`Wrote ${output}`);
      this.out.hint(`pao task apply ${output}`);
    }
    return specOf(task);
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
