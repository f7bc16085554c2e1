import { BaseCommand } from '../../cli/base-command.js';
import { Args, Flags } from '../../cli/flags.js';
import { changeLines, occurrenceLines, warningLines } from '../../cli/render/task-lines.js';
import type { ChangedTaskObject, TaskCheckObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';

const WOULD = {
  created: 'would be created',
  updated: 'would be updated',
  unchanged: 'unchanged',
} satisfies Record<TaskCheckObject['outcome'], string>;

/** Creates or changes the tasks of files, by their names. */
export default class TaskApply extends BaseCommand<typeof TaskApply> {
  static override summary = 'Create or change the tasks of files';
  static override description =
    'Takes YAML or JSON, several documents a file, and - for stdin. Every task is checked before the first one is changed.';
  static override examples = [
    '<%= config.bin %> task apply briefing.yaml',
    'cat tasks/*.yaml | <%= config.bin %> task apply -',
    '<%= config.bin %> task apply briefing.yaml --dry-run',
  ];
  static override args = {
    files: Args.string({ summary: 'Files, or - for stdin', required: true, multiple: true }),
  };
  static override flags = { 'dry-run': Flags.boolean({ summary: 'Check the tasks and change nothing' }) };

  async run(): Promise<unknown> {
    const { readTaskDocuments, withFilePositions } = await import('../../cli/render/task-documents.js');
    const client = new PaoClient(this.connection());
    const documents = await readTaskDocuments(this.args.files, this.process);
    const options = { signal: this.signal };
    const isDry = this.flags['dry-run'];
    const items: (ChangedTaskObject | TaskCheckObject)[] = [];
    // One task needs no check of its own: applying it is the check.
    for (const change of isDry ? [false] : documents.length === 1 ? [true] : [false, true]) {
      for (const document of documents) {
        const { task } = document;
        try {
          const answer = await (change ? client.applyTask(task, options) : client.checkTask(task, options));
          if (change || isDry) {
            items.push(answer);
            this.#say(answer);
          }
        } catch (error) {
          throw withFilePositions(error, document);
        }
      }
    }
    const first = items[0];
    if (!isDry && first) this.out.hint(`pao task run ${first.name} --wait`);
    return items.length === 1 ? first : { items };
  }

  #say(task: ChangedTaskObject | TaskCheckObject): void {
    const { name, words, next_occurrences, warnings } = task;
    const outcome = 'valid' in task ? `valid, ${WOULD[task.outcome]}` : task.outcome;
    this.out.line(`${name}  ${outcome}  ${this.out.paint.dim(words)}`);
    if ('valid' in task) occurrenceLines(next_occurrences.slice(0, 3), null, this.out);
    else changeLines(task, this.out);
    warningLines(warnings, this.out);
  }
}
