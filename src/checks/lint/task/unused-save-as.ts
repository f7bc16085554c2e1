import type { Edit } from '../finding.js';
import type { TaskRule } from '../rule.js';
import type { TaskFile } from '../task-file.js';
import { referencesIn, stepsOf } from './steps.js';

/** A name that nothing reads is a leftover, or the reader has a typo. */
export const unusedSaveAs: TaskRule = {
  id: 'unused-save-as',
  title: 'What a step saves is read by a step after it',
  kind: 'task',
  severity: 'warning',
  fixable: true,
  check(file, tell) {
    for (const { spec, span } of file.tasks) {
      if (spec === null) continue;
      const steps = stepsOf(spec);
      const read = new Set<unknown>();
      for (const { path } of steps.flatMap(({ step }) => referencesIn(step))) {
        // `${steps}` as a whole, or by an expression, reads whatever is there.
        if (path[0] === 'steps') read.add(path[1] ?? '*');
      }
      for (const { step, pointer } of steps) {
        if (step.save_as === undefined || read.has('*') || read.has(step.save_as)) continue;
        const place = span(`${pointer}/save_as`);
        const fix = removalOf(place.start, file);
        tell(place, `"${step.save_as}" is saved, and no step reads steps.${step.save_as}`, {
          hint: `Remove save_as, or read it as \${steps.${step.save_as}}`,
          ...(fix === null ? {} : { fix }),
        });
      }
    }
  },
};

/** Takes the key and its value out: the whole line where it stands alone, or with one comma in `{ … }`. */
function removalOf(start: number, file: TaskFile): Edit[] | null {
  const { text } = file.source;
  const written = /^(["']?)save_as\1\s*:\s*(["']?)\w+\2/.exec(text.slice(start, start + 200));
  if (written === null) return null;
  const end = start + written[0].length;
  const before = /(^|\n)[ \t]*$/.exec(text.slice(0, start));
  const after = /^[ \t]*(#[^\n]*)?(\r?\n|$)/.exec(text.slice(end));
  if (before !== null && after !== null) {
    return [
      {
        start: start - before[0].length + (before[1] as string).length,
        end: end + after[0].length,
        text: '',
      },
    ];
  }
  const commaBefore = /,\s*$/.exec(text.slice(0, start));
  if (commaBefore !== null) return [{ start: start - commaBefore[0].length, end, text: '' }];
  const commaAfter = /^\s*,\s*/.exec(text.slice(end));
  return commaAfter === null ? null : [{ start, end: end + commaAfter[0].length, text: '' }];
}
