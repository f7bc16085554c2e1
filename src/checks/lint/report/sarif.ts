import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Finding } from '../finding.js';
import { RULES } from '../rules.js';
import type { LintResult } from '../run-lint.js';

/**
 * A lint in the Static Analysis Results Interchange Format, version 2.1.0 (OASIS), as code scanning takes it.
 * Paths inside the folder are relative to `%SRCROOT%`; columns count UTF-16 units.
 */
export function sarifReport({ findings, rules }: LintResult, run: { version: string; cwd: string }): string {
  const listed = RULES.filter(({ id }) => rules.has(id));
  const document = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'pao lint-scheduler',
            semanticVersion: run.version,
            rules: listed.map(({ id, title }) => ({
              id,
              shortDescription: { text: title },
              help: { text: `docs/lint/${id}.md in the package pao` },
              defaultConfiguration: { level: rules.get(id) ?? 'error' },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        originalUriBaseIds: { '%SRCROOT%': { uri: `${pathToFileURL(run.cwd).href}/` } },
        results: findings.map((finding) =>
          resultOf(
            finding,
            listed.findIndex(({ id }) => id === finding.rule),
          ),
        ),
      },
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function resultOf(finding: Finding, ruleIndex: number): object {
  const { rule, severity, message, hint, file } = finding;
  return {
    ruleId: rule,
    ruleIndex,
    level: severity,
    message: { text: hint === null ? message : `${message}. ${hint}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: isAbsolute(file)
            ? { uri: pathToFileURL(file).href }
            : { uri: file.split('/').map(encodeURIComponent).join('/'), uriBaseId: '%SRCROOT%' },
          region: {
            startLine: finding.line,
            startColumn: finding.column,
            endLine: finding.end_line,
            endColumn: finding.end_column,
          },
        },
      },
    ],
  };
}
