import * as ink from 'ink';
import { pause } from '../../client/http-transport.js';
import type { PaoClient } from '../../client/pao-client.js';
import type { CliProcess } from '../cli-config.js';
import { describeError } from '../describe-error.js';
import type { Output } from '../output.js';
import { machineTime } from '../render/task-time.js';
import { visible } from '../visible.js';
import { createActions } from './actions.js';
import { Screen } from './screen.js';
import type { TopSnapshot } from './snapshot.js';
import type { TopSource } from './source.js';
import { type Lost, TopStore } from './state.js';
import { Dashboard } from './view.js';

export interface DashboardOptions {
  client: PaoClient;
  source: TopSource;
  first: TopSnapshot;
  intervalMs: number;
  out: Output;
  cli: CliProcess;
}

/** Shows the dashboard until it is quit. @throws the reason of the signal when SIGINT or SIGTERM ends it. */
export async function runDashboard({
  client,
  source,
  first,
  intervalMs,
  out,
  cli,
}: DashboardOptions): Promise<void> {
  // Of the build: its layout engine loads on the side (scripts/bundle.mjs).
  await (ink as { ready?: Promise<void> }).ready;
  const { stdin, stdout } = cli;
  const screen = new Screen(stdout);
  const store = new TopStore(first, { columns: screen.columns, rows: screen.height });
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, cli.signal]);
  let wake = new AbortController();
  let drawn: ink.Instance | null = null;
  let bug: { error: unknown } | null = null as { error: unknown } | null;

  const actions = createActions({
    store,
    client,
    source,
    out,
    signal,
    quit: () => stop.abort(),
    suspend: () => process.kill(0, 'SIGTSTP'),
    refresh: () => wake.abort(),
  });
  const draw = () => {
    // Before anything is seen: a key that is pressed then is no signal any more.
    stdin.setRawMode(true);
    screen.open();
    drawn = ink.render(<Dashboard store={store} actions={actions} out={out} />, {
      stdout: screen as unknown as NodeJS.WriteStream,
      stdin,
      exitOnCtrlC: false,
      patchConsole: false,
    });
    drawn.waitUntilExit().catch((error: unknown) => {
      bug = { error };
      stop.abort();
    });
  };
  const leave = () => {
    drawn?.unmount();
    drawn = null;
    if (stdin.isTTY) stdin.setRawMode(false);
    screen.close();
  };
  // Ink compares with what it drew last, and of that nothing is left after a change of size or a stop.
  const redraw = () => {
    drawn?.unmount();
    screen.clear();
    store.change({ columns: screen.columns, rows: screen.height });
    draw();
  };
  /** Ctrl-Z: the shell gets its screen back. What the signal does by default also minds a shell without job control. */
  const suspend = () => {
    leave();
    process.off('SIGTSTP', suspend);
    process.kill(process.pid, 'SIGTSTP');
    setImmediate(() => {
      process.on('SIGTSTP', suspend);
      if (!signal.aborted) redraw();
    });
  };

  process.once('exit', leave);
  process.prependListener('uncaughtException', leave);
  process.on('SIGTSTP', suspend);
  process.on('SIGCONT', redraw);
  stdout.on('resize', redraw);
  try {
    draw();
    while (!signal.aborted) {
      wake = new AbortController();
      await pause(intervalMs, AbortSignal.any([signal, wake.signal])).catch(() => {});
      if (!signal.aborted) await look(source, store, signal);
    }
  } finally {
    stdout.off('resize', redraw);
    process.off('SIGCONT', redraw);
    process.off('SIGTSTP', suspend);
    process.off('uncaughtException', leave);
    leave();
  }
  if (bug !== null) throw bug.error;
  cli.signal.throwIfAborted();
}

/** Looks once more; of a server that does not answer the screen keeps what it said last, and says so. */
async function look(source: TopSource, store: TopStore, signal: AbortSignal): Promise<void> {
  try {
    const snapshot = await source.look(signal);
    store.change({ snapshot, lost: null });
  } catch (error) {
    if (signal.aborted) return;
    source.refreshAll();
    const since =
      store.state.lost?.since ?? machineTime(store.state.snapshot.at).split(' ').slice(4).join(' ');
    store.change({ lost: { ...lossOf(error), since } });
  }
}

/** The first sentence says it; the headline names the address, and the foot what to do. */
function lossOf(error: unknown): Omit<Lost, 'since'> {
  const { code, message, hints } = describeError(error);
  return {
    isAway: code === 'PAO_UNREACHABLE' || code === 'PAO_TIMEOUT',
    message: visible(/^.*?\.(?= |$)/s.exec(message)?.[0] ?? message),
    hint: hints[0] === undefined ? null : visible(hints[0]),
  };
}
