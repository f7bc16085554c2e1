import { describe, expect, it } from 'vitest';
import { validateXML } from 'xmllint-wasm';
import { parse } from 'yaml';
import type { CheckResult, SuiteReport } from '../../src/checks/check.js';
import { REPORTERS } from '../../src/checks/reporters/index.js';
import { junitSchema } from './junit-schema.js';

function aResult(changes: Partial<CheckResult>): CheckResult {
  return {
    id: 'a.b',
    title: 'A works',
    group: 'First',
    status: 'passed',
    duration_ms: 1234,
    evidence: {},
    error: null,
    hint: null,
    ...changes,
  };
}

const NASTY = 'a <b> & "c"\u0000\ud800 ]]> # `x` | 50% \n::error::no';

const REPORT: SuiteReport = {
  suite: 'a-suite',
  status: 'failed',
  version: '1.2.3',
  started_at: '2026-11-24T06:30:00.123Z',
  duration_ms: 65_432,
  target: { url: 'http://127.0.0.1:8080', store: 'sqlite', bus: 'memory', ephemeral: false },
  totals: { passed: 1, failed: 1, warned: 1, skipped: 1 },
  checks: [
    aResult({ evidence: { status: 200, text: '```' } }),
    aResult({ id: 'a.c', title: NASTY, status: 'failed', error: NASTY, hint: `pao run show ${NASTY}` }),
    aResult({ id: 'b.d', group: 'Second', status: 'warned', error: 'Look at it.', hint: 'pao doctor' }),
    aResult({
      id: 'b.e',
      group: 'Second',
      status: 'skipped',
      error: 'There is no PostgreSQL.',
      duration_ms: 0,
    }),
  ],
};

describe('JUnit XML', () => {
  it('is valid by the schema of Jenkins, whatever the texts hold', async () => {
    const schema = await junitSchema();
    const xml = REPORTERS.junit(REPORT);
    expect((await validateXML({ xml, schema })).errors).toEqual([]);
    // The schema refuses something at all.
    const wrong = xml.replace('<testcase name=', '<testcase nome=');
    expect((await validateXML({ xml: wrong, schema })).valid).toBe(false);
  });

  it('counts by group and gives failures their hint', () => {
    const xml = REPORTERS.junit(REPORT);
    expect(xml).toContain('<testsuites name="a-suite" tests="4" failures="1" errors="0" time="65.432">');
    expect(xml).toContain('name="a-suite.Second" tests="2" failures="0" errors="0" skipped="1"');
    expect(xml).toContain('→ pao run show a &lt;b&gt;');
    expect(xml).toContain('<skipped>There is no PostgreSQL.</skipped>');
    expect(xml).toContain('warning: Look at it.');
  });
});

describe('HTML', () => {
  const html = REPORTERS.html(REPORT);

  it('stands alone and lets no text become markup', () => {
    expect(html).not.toMatch(/<(script|link|img|iframe)|https?:\/\/(?!127)/i);
    expect(html).not.toContain('<b>');
    expect(html).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
  });

  it('draws how long each check took, and opens what failed', () => {
    expect(html).toContain('<span style="width:100.0%">');
    expect(html).toContain('<span style="width:0.0%">');
    expect(html).toContain('<details class="failed" open>');
    expect(html).toContain('<details class="passed">');
    expect(html).toContain('1 passed, 1 failed, 1 warning, 1 skipped in 1m 5s');
  });
});

it('Markdown: failures first, every check in a table, fences that can not be closed from inside', () => {
  const markdown = REPORTERS.markdown(REPORT);
  expect(markdown.indexOf('### ❌')).toBeLessThan(markdown.indexOf('## First'));
  expect(markdown).toContain('```sh\npao run show');
  expect(markdown).toContain('| ⏭️ | A works <br>`b.e` | There is no PostgreSQL. |');
  expect(
    markdown
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .every((line) => line.endsWith('|')),
  ).toBe(true);
});

it('TAP: version 14, one point for each check, details as YAML', () => {
  const lines = REPORTERS.tap(REPORT).split('\n');
  expect(lines.slice(0, 3)).toEqual(['TAP version 14', '# a-suite', '1..4']);
  const points = lines.filter((line) => /^(not )?ok /.test(line));
  expect(points.map((line) => line.split(' - ')[0])).toEqual(['ok 1', 'not ok 2', 'ok 3', 'ok 4']);
  expect(points[3]).toContain(' # SKIP There is no PostgreSQL.');
  expect(points[1]).toContain('\\# `x`');
  const blocks = REPORTERS.tap(REPORT).split(/^ {2}(?:---|\.\.\.)$/m);
  expect(parse(blocks[3] as string)).toMatchObject({
    severity: 'fail',
    message: NASTY,
  });
});

it('GitHub: an annotation for each failure and warning, which no text can add to', () => {
  const lines = REPORTERS.github(REPORT).trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^::error title=a-suite%3A a.c::.*50%25 %0A::error::no/);
  expect(lines[1]).toMatch(/^::warning title=a-suite%3A b.d::A works%0ALook at it.%0A→ pao doctor$/);
});

it('JSON: the document of interfaces.md', () => {
  expect(JSON.parse(REPORTERS.json(REPORT))).toEqual(JSON.parse(JSON.stringify(REPORT)));
});
