import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finding } from '../../../src/checks/lint/finding.js';
import { type LintOptions, runLint } from '../../../src/checks/lint/run-lint.js';

export const packageRoot = fileURLToPath(new URL('../../..', import.meta.url));

/** Lints files given by name and text. @returns the findings, and the files as they are afterwards. */
export async function lintTexts(
  texts: Readonly<Record<string, string>>,
  options: Partial<LintOptions> = {},
): Promise<{ findings: Finding[]; texts: Record<string, string>; fixed: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'pao-lint-'));
  try {
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
    const { findings, fixed } = await runLint({
      paths: Object.keys(texts),
      project: folder,
      cwd: folder,
      packageRoot,
      only: [],
      skip: [],
      settings: {},
      settingsFile: null,
      notify: null,
      fix: false,
      now: Date.parse('2026-11-24T12:00:00Z'),
      signal: new AbortController().signal,
      ...options,
    });
    const after = Object.keys(texts).map((name) => [name, readFileSync(join(folder, name), 'utf8')]);
    return { findings, fixed, texts: Object.fromEntries(after) as Record<string, string> };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What one rule finds in a text, as `line: message`. */
export async function found(rule: string, text: string, name = 'file.ts'): Promise<string[]> {
  const { findings } = await lintTexts({ [name]: text }, { only: [rule, 'syntax'] });
  return findings.map(({ line, message }) => `${line}: ${message}`);
}
