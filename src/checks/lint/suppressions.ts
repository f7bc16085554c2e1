import { nearest } from '../../domain/nearest.js';
import type { Report } from './finding.js';
import type { SourceText } from './source-text.js';

/** A comment `pao-lint-disable-next-line RULE, RULE -- reason`. */
interface Suppression {
  rules: string[];
  /** The line it is about: the next one that is no comment. */
  line: number;
  start: number;
  end: number;
  used: Set<string>;
}

/** A comment of a file: its text without the marks, and where it is. */
export interface LintComment {
  text: string;
  start: number;
  end: number;
}

const FORM = /^\s*pao-lint-disable-next-line\b(.*)$/s;

/**
 * Applies the suppressions of a file.
 * @param active rules that were run: a suppression of one that was not is not called unused.
 * @returns what is left, with findings about the suppressions themselves.
 */
export function applySuppressions(
  reports: readonly Report[],
  comments: readonly LintComment[],
  source: SourceText,
  active: ReadonlySet<string>,
  known: ReadonlySet<string>,
): Report[] {
  const found: Suppression[] = [];
  const own: Report[] = [];
  const commentLines = new Set(comments.map(({ start }) => source.position(start).line));
  for (const comment of comments) {
    const match = FORM.exec(comment.text);
    if (match === null) continue;
    const read = readSuppression(match[1] as string, comment, known);
    if ('rule' in read) {
      own.push(read);
      continue;
    }
    let { line } = source.position(comment.end - 1);
    do line += 1;
    while (commentLines.has(line) && isComment(source.line(line)));
    found.push({ rules: read.rules, line, start: comment.start, end: comment.end, used: new Set() });
  }
  const left = reports.filter(({ rule, start }) => {
    const { line } = source.position(start);
    const by = found.find((one) => one.line === line && one.rules.includes(rule));
    by?.used.add(rule);
    return by === undefined;
  });
  for (const { rules, used, start, end } of found) {
    const unused = rules.filter((rule) => !used.has(rule) && active.has(rule));
    if (unused.length === 0) continue;
    own.push({
      rule: 'unused-suppression',
      message: `There is nothing to suppress for ${unused.join(', ')} in the next line`,
      hint: 'Remove the comment',
      start,
      end,
      ...(unused.length === rules.length ? { fix: [wholeLine(source, start, end)] } : {}),
    });
  }
  return [...left, ...own];
}

function readSuppression(
  text: string,
  { start, end }: LintComment,
  known: ReadonlySet<string>,
): { rules: string[] } | Report {
  const fault = (message: string, hint: string): Report => ({
    rule: 'suppression',
    message,
    hint,
    start,
    end,
  });
  const dashes = /\s--(\s|$)/.exec(text);
  const names = text
    .slice(0, dashes?.index ?? text.length)
    .split(/[\s,]+/)
    .filter((name) => name !== '');
  const reason = dashes === null ? '' : text.slice(dashes.index + 3).trim();
  const form = 'Write pao-lint-disable-next-line RULE -- why it is right here';
  if (names.length === 0) return fault('A suppression names the rules that it is about', form);
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) {
    const near = nearest(unknown, known);
    return fault(
      `There is no rule "${unknown}"`,
      near === null ? 'pao lint-scheduler --list' : `Did you mean ${near}?`,
    );
  }
  if (reason.length < 3) return fault('A suppression without a reason suppresses nothing', form);
  return { rules: names };
}

/** The line a comment stands on, when it stands there alone; else the comment. */
function wholeLine(
  source: SourceText,
  start: number,
  end: number,
): { start: number; end: number; text: string } {
  const { line } = source.position(start);
  const isAlone = source.line(line).trim() === source.text.slice(start, end).trim();
  return isAlone
    ? { start: source.offset(line, 1), end: source.offset(line + 1, 1), text: '' }
    : { start, end, text: '' };
}

const isComment = (line: string): boolean => /^\s*(\/\/|\/\*|\*|#)/.test(line);

/** The comments of a YAML text: lines that hold nothing else. */
export function yamlComments(text: string): LintComment[] {
  return [...text.matchAll(/^([ \t]*)#([^\n]*)$/gm)].map((match) => {
    const start = match.index + (match[1] as string).length;
    return {
      text: (match[2] as string).replace(/\r$/, ''),
      start,
      end: match.index + match[0].trimEnd().length,
    };
  });
}
