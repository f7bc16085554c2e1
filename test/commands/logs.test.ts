import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { paintFor } from '../../src/cli/colour.js';
import { followLog, lastLogLines } from '../../src/cli/log-file.js';
import { formatLogLine, matchesLog, readLogLine } from '../../src/cli/log-line.js';
import { RotatingLog } from '../../src/server/supervisor/rotating-log.js';
import { until } from '../e2e/start-pao.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-logs-'));
  file = join(folder, 'pao.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const all = () => true;
const plain = paintFor(false);

describe('the last lines of a log', () => {
  it('come from rotated files too when the newest has too few', async () => {
    // Each file holds two lines of five bytes.
    const log = new RotatingLog(file, 10);
    for (let index = 1; index <= 7; index++) log.write(`n${index}..`);
    log.close();
    expect((await lastLogLines(file, 5, all))?.lines).toEqual(['n3..', 'n4..', 'n5..', 'n6..', 'n7..']);
  });

  it('are counted after filtering', async () => {
    writeFileSync(file, 'a1\nb\na2\nb\na3\nb\n');
    expect((await lastLogLines(file, 2, (line) => line.startsWith('a')))?.lines).toEqual(['a2', 'a3']);
    expect((await lastLogLines(file, 0, all))?.lines).toEqual([]);
  });

  it('are null without a log', async () => {
    expect(await lastLogLines(file, 5, all)).toBeNull();
  });
});

describe('following a log', () => {
  /** Follows until aborted; what was seen is in `seen`. */
  function follow(from: Parameters<typeof followLog>[1]) {
    const controller = new AbortController();
    const seen: string[] = [];
    const ended = (async () => {
      for await (const line of followLog(file, from, controller.signal)) seen.push(line);
    })();
    const saw = (line: string) => until(`the line ${line}`, () => seen.includes(line));
    return { seen, saw, stop: () => (controller.abort(), ended) };
  }

  it('gives every line once over a rotation, and ends when it is aborted', async () => {
    const log = new RotatingLog(file, 12);
    log.write('old');
    const { position } = (await lastLogLines(file, 1, all)) ?? { position: null };
    const reader = follow(position);
    const expected: string[] = [];
    for (let index = 1; index <= 8; index++) {
      log.write(`n${index}..`);
      expected.push(`n${index}..`);
      // A reader may be a moment late, not two whole files.
      await reader.saw(`n${index}..`);
    }
    log.close();
    await reader.stop();
    expect(reader.seen).toEqual(expected);
  });

  it('waits for a log that is not there yet, and for the end of a line', async () => {
    const reader = follow(null);
    writeFileSync(file, 'first\nsec');
    await reader.saw('first');
    appendFileSync(file, 'ond ü\n');
    await reader.saw('second ü');
    await reader.stop();
    expect(reader.seen).toEqual(['first', 'second ü']);
  });
});

describe('a log line', () => {
  it('is wanted by level, service, run, task and trace', () => {
    const record = readLogLine(
      '{"level":"warn","service":"w1","msg":"m","run_id":"run_1","task_id":"tsk_1","trace_id":"ab12"}',
    );
    for (const filter of [
      {},
      { level: 'info' },
      { level: 'warn' },
      { service: 'w1' },
      { service: 'worker' },
      { run: 'run_1' },
      { trace: 'AB12' },
      { task: 'tsk_1' },
    ])
      expect(matchesLog(record, filter)).toBe(true);
    for (const filter of [
      { level: 'error' },
      { service: 'api' },
      { run: 'run_2' },
      { trace: 'ab13' },
      { task: 'tsk_2' },
      { run: 'run_1', service: 'w2' },
    ])
      expect(matchesLog(record, filter)).toBe(false);
    expect(matchesLog(readLogLine('{"level":"warn","run_ids":["run_1","run_2"]}'), { run: 'run_2' })).toBe(
      true,
    );
  });

  it('without a level counts as an error: a process that crashed wrote it', () => {
    expect(matchesLog(readLogLine('Segmentation fault'), { level: 'error' })).toBe(true);
  });

  it('is shown as time, level, service, message and fields, with nothing a terminal would obey', () => {
    const time = new Date(2024, 2, 1, 7, 5, 9).toISOString();
    const line = formatLogLine(
      {
        time,
        level: 'info',
        service: 'w1',
        msg: 'a\u001b[2Jb\nc',
        run_id: 'run_1',
        text: 'two words',
        err: { message: 'no', stack: 's' },
      },
      plain,
    );
    expect(line).toBe('07:05:09 info  w1         a\\x1b[2Jb\\nc run_id=run_1 text="two words" err="no"');
  });
});
