import { BaseCommand } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import { costLine, occurrenceLines, warningLines } from '../../cli/render/task-lines.js';
import type { ChangedTaskObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { conflict } from '../../domain/errors.js';

/** Creates tasks; a name that is taken is an error. */
export default class TaskCreate extends BaseCommand<typeof TaskCreate> {
  static override summary = 'Create tasks; a name that is taken is an error';
  static override description =
    'Takes YAML or JSON, several documents a file; every task is checked before the first one is created. To change tasks too: pao task apply.';
  static override examples = [
    '<%= config.bin %> task create -f briefing.yaml',
    '<%= config.bin %> task create -f - < task.json',
  ];
  static override flags = {
    file: Flags.string({
      char: 'f',
      summary: 'A file, or - for stdin',
      required: true,
      multiple: true,
      helpValue: 'FILE',
    }),
  };

  async run(): Promise<unknown> {
    const { readTaskDocuments, withFilePositions } = await import('../../cli/render/task-documents.js');
    const client = new PaoClient(this.connection());
    const items: ChangedTaskObject[] = [];
    const documents = await readTaskDocuments(this.flags.file, this.process);
    // One task needs no check of its own: creating it is the check.
    for (const document of documents.length === 1 ? [] : documents) {
      const check = await client.checkTask(document.task, { signal: this.signal }).catch((error: unknown) => {
        throw withFilePositions(error, document);
      });
      if (check.outcome === 'created') continue;
      const { name } = check;
      throw conflict(`There is a task ${name} already; nothing was created.`, [
        `pao task show ${name}`,
        'pao task apply FILE changes tasks that are there',
      ]);
    }
    for (const document of documents) {
      try {
        const created = await client.createTask(document.task, { signal: this.signal });
        items.push(created);
        this.out.line(`${created.name}  created  ${this.out.paint.dim(created.words)}`);
        occurrenceLines(created.next_occurrences.slice(0, 3), created.timezone, this.out);
        costLine(created, this.out);
        warningLines(created.warnings, this.out);
      } catch (error) {
        throw withFilePositions(error, document);
      }
    }
    const first = items[0];
    if (first) this.out.hint(`pao task run ${first.name} --wait`);
    return items.length === 1 ? first : { items };
  }
}
