/** A line that is in one text and not in the other. */
export interface LineChange {
  change: 'added' | 'removed';
  line: string;
}

/** What differs between two files of settings, whose order says nothing; comments do not count. */
export function changedLines(before: string, after: string): LineChange[] {
  const [old, now] = [linesOf(before), linesOf(after)];
  return [
    ...old.filter((line) => !now.includes(line)).map((line): LineChange => ({ change: 'removed', line })),
    ...now.filter((line) => !old.includes(line)).map((line): LineChange => ({ change: 'added', line })),
  ];
}

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('<!--'));
