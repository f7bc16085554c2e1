#!/usr/bin/env node
// `npm test`: makes a fresh clone ready, runs vitest, and ends with the line `N passed, N failed`.
// What failed is appended to the file that PAO_TEST_FAILURES names: .ci/run says it again at its end.
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootstrap } from './bootstrap.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// Whatever ends this process early, the last line says that it did not go well.
let summary = '0 passed, 1 failed';
process.on('exit', () => process.stdout.write(`${summary}\n`));
await bootstrap();
const folder = mkdtempSync(join(tmpdir(), 'pao-test-'));
const report = join(folder, 'report.json');
const child = spawn(
  process.execPath,
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
const code = await new Promise((done) =>
  child.once('close', (exit, signal) => done(exit ?? (signal ? 1 : 0))),
);
const { passed, failed } = count();
rmSync(folder, { recursive: true, force: true });
summary = `${passed} passed, ${failed} failed`;
process.exitCode = code;

function count() {
  try {
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    // A file that cannot be loaded has no tests that could fail.
    const broken = testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
    );
    const failed = tests.filter(({ status }) => status === 'failed');
    const failures = failed.length + broken.length;
    if (process.env.PAO_TEST_FAILURES && code !== 0)
      appendFileSync(process.env.PAO_TEST_FAILURES, describe(testResults, failures));
    return { passed: numPassedTests, failed: code === 0 ? failures : Math.max(1, failures) };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

function describe(testResults, failures) {
  if (failures === 0) return 'All tests passed, yet vitest failed: its "Unhandled Errors" above say why.\n\n';
  return testResults
    .flatMap(({ name, status, message, assertionResults }) => {
      const file = relative(root, name);
      if (status === 'failed' && assertionResults.length === 0) return [`${file}\n${message}\n`];
      return assertionResults
        .filter((test) => test.status === 'failed')
        .map(({ fullName, failureMessages }) => `${file}: ${fullName}\n${failureMessages.join('\n')}\n`);
    })
    .map((text) => `${ownLines(text).slice(0, 40).join('\n')}\n`)
    .join('');
}

/** Without the lines of the stack that are not ours. */
function ownLines(text) {
  return text.split('\n').filter((line) => !/^\s+at .*node_modules|^\s+at new Promise/.test(line));
}
