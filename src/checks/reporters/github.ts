import type { CheckResult, SuiteReport } from '../check.js';

/**
 * GitHub Actions workflow commands: an error for each failed check, a warning for each warning.
 * docs.github.com/actions/reference/workflow-commands-for-github-actions
 */
export function githubReport({ checks, suite }: SuiteReport): string {
  return checks
    .filter(({ status }) => status === 'failed' || status === 'warned')
    .map((result) => annotation(suite, result))
    .join('');
}

function annotation(suite: string, { id, status, title, error, hint }: CheckResult): string {
  const command = status === 'failed' ? 'error' : 'warning';
  const text = [title, error ?? '', hint === null ? '' : `→ ${hint}`]
    .filter((part) => part !== '')
    .join('\n');
  return `::${command} title=${property(`${suite}: ${id}`)}::${data(text)}\n`;
}

const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
