import type { Finding } from '../finding.js';

/**
 * GitHub Actions workflow commands that put each finding next to its line.
 * docs.github.com/actions/reference/workflow-commands-for-github-actions
 */
export function githubAnnotations(findings: readonly Finding[]): string {
  return findings
    .map((finding) => {
      const { rule, severity, message, hint, file, line, column } = finding;
      const end = `endLine=${finding.end_line},endColumn=${finding.end_column}`;
      const text = hint === null ? message : `${message}\n→ ${hint}`;
      return `::${severity} file=${property(file)},line=${line},col=${column},${end},title=${property(rule)}::${data(text)}\n`;
    })
    .join('');
}

const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');

const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
