import type { Output } from '../output.js';

interface Quantiles {
  p50: number;
  p99: number;
  n: number;
}

/** What is shown of a `pao bench`. */
interface Measured {
  machine: { before: { cpus: number; load: number }; busy: boolean };
  system: {
    ready_ms: number;
    start_latency_ms: Quantiles;
    idle: { cpu_percent: number | null; pss_mb?: number; processes?: number };
    drain: { runs: number; seconds: number; runs_per_second: number; cpu_us_per_run: number | null };
    create_task_while_draining_ms: Quantiles;
    database_bytes_per_run: number;
  } | null;
  recurrence: { slowest_per_second: number; rules: Record<string, { next_per_second: number }> } | null;
}

/** A measurement as a table, and a warning when others worked on the machine. */
export function showBench({ machine, system, recurrence }: Measured, out: Output): void {
  const rows: { what: string; result: string; more: string }[] = [];
  const add = (what: string, result: string, more: string) => rows.push({ what, result, more });
  if (system !== null) {
    const { ready_ms, start_latency_ms: start, idle, drain, create_task_while_draining_ms: create } = system;
    add('ready', `${count(ready_ms)} ms`, 'pao start local, all services healthy');
    add('start of a run', `${start.p50} ms`, `p99 ${start.p99} ms; ${start.n} runs on an idle system`);
    add(
      'throughput',
      `${count(drain.runs_per_second)} runs/s`,
      `${count(drain.runs)} runs of one step in ${drain.seconds} s, 2 workers`,
    );
    if (drain.cpu_us_per_run !== null)
      add('CPU of a run', `${count(drain.cpu_us_per_run)} µs`, 'all processes together');
    add(
      'create a task',
      `${create.p50} ms`,
      `p99 ${create.p99} ms; ${create.n} while that queue was worked off`,
    );
    add('disk of a run', `${count(system.database_bytes_per_run)} bytes`, 'with its step');
    if (idle.cpu_percent !== null) add('idle', `${idle.cpu_percent} %`, 'of one core, all processes');
    if (idle.pss_mb !== undefined) add('memory', `${idle.pss_mb} MiB`, `${idle.processes} processes, idle`);
  }
  if (recurrence !== null) {
    const [slowest] = Object.entries(recurrence.rules).sort(
      ([, a], [, b]) => a.next_per_second - b.next_per_second,
    );
    add(
      'next occurrence',
      `${count(recurrence.slowest_per_second)} a second`,
      `the slowest of ${Object.keys(recurrence.rules).length} rules: ${slowest?.[0] ?? ''}`,
    );
  }
  out.table(rows, [
    { header: 'MEASURED', value: ({ what }) => what },
    { header: 'RESULT', value: ({ result }) => result, align: 'right' },
    { header: '', value: ({ more }) => more, style: (text) => out.paint.dim(text) },
  ]);
  if (machine.busy) {
    out.warn(
      `The machine was busy before (load ${machine.before.load}, ${machine.before.cpus} CPUs): without that the figures are better.`,
    );
  }
}

const count = (value: number): string => value.toLocaleString('en-US').replaceAll(',', ' ');
