import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A stand-in for the person's systemd, which no test may change: `systemctl`, `journalctl` and `loginctl` for the PATH. It
 * starts and stops what a unit says (one whose words need no quotes), and writes down what it was told.
 */
export interface StandInSystemd {
  /** Variables of a process that is to find it. */
  env: Record<string, string>;
  /** The unit file of a service. */
  unit(name?: string): string;
  /** What changed something, in order; questions do not count. */
  changes(): string[];
  /** From now on it answers with this state, whatever it is told. */
  pretend(state: Record<string, string | number>): void;
  /** Ends what it started, whatever a test left. */
  end(): void;
}

/** @param folder an empty one for it alone. */
export function aSystemd(folder: string): StandInSystemd {
  const bin = join(folder, 'bin');
  const config = join(folder, 'config');
  mkdirSync(bin, { recursive: true });
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  };
  program('systemctl', `#!${process.execPath}\nconst folder = ${JSON.stringify(folder)};\n${SYSTEMCTL}`);
  program('journalctl', '#!/bin/sh\necho the last words of pao\n');
  program('loginctl', '#!/bin/sh\necho no\n');
  const calls = join(folder, 'calls');
  return {
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, XDG_CONFIG_HOME: config },
    unit: (name = 'pao') => join(config, 'systemd', 'user', `${name}.service`),
    changes: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trimEnd().split('\n') : []),
    end() {
      const file = join(folder, 'pid.json');
      if (!existsSync(file)) return;
      try {
        process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
      } catch {
        // It has ended.
      }
    },
    pretend: (state) => writeFileSync(join(folder, 'pretended.json'), JSON.stringify(state)),
  };
}

const SYSTEMCTL = `
const fs = require('node:fs');
const { spawn } = require('node:child_process');
const [, , , verb, ...rest] = process.argv;
const unit = rest.find((word) => word.endsWith('.service'));
const units = process.env.XDG_CONFIG_HOME + '/systemd/user/';
const link = units + 'default.target.wants/' + unit;
const read = (name) => { try { return JSON.parse(fs.readFileSync(folder + '/' + name, 'utf8')); } catch { return null; } };
const isAlive = (pid) => {
  try { return !/\\) Z /.test(fs.readFileSync('/proc/' + pid + '/stat', 'utf8')); } catch { return false; }
};
const running = () => { const pid = read('pid.json'); return pid && isAlive(pid) ? pid : 0; };
const start = () => {
  if (running() || read('pretended.json')) return;
  const text = fs.readFileSync(units + unit, 'utf8');
  const all = (name) => [...text.matchAll(new RegExp('^' + name + '=(.*)$', 'gm'))].map(([, value]) => value);
  const [program, ...args] = all('ExecStart')[0].split(' ');
  const env = Object.fromEntries(all('Environment').map((pair) => pair.split(/=(.*)/s)));
  const child = spawn(program, args, { env, cwd: all('WorkingDirectory')[0], detached: true, stdio: 'ignore' });
  fs.writeFileSync(folder + '/pid.json', String(child.pid));
  child.unref();
};
const stop = () => {
  const pid = running();
  if (pid) process.kill(pid, 'SIGTERM');
  while (pid && isAlive(pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
};
if (verb !== 'show') fs.appendFileSync(folder + '/calls', [verb, ...rest].join(' ') + '\\n');
if (verb === 'show' && rest.includes('--property=Version')) console.log('Version=252');
else if (verb === 'show') {
  const pid = running();
  const state = read('pretended.json') ?? { ActiveState: pid ? 'active' : 'inactive', MainPID: pid, NRestarts: 0 };
  for (const [name, value] of Object.entries({ UnitFileState: fs.existsSync(link) ? 'enabled' : '', ...state }))
    console.log(name + '=' + value);
} else if (verb === 'enable') {
  fs.mkdirSync(units + 'default.target.wants', { recursive: true });
  fs.rmSync(link, { force: true });
  fs.symlinkSync(units + unit, link);
  if (rest.includes('--now')) start();
} else if (verb === 'disable') {
  stop();
  fs.rmSync(link, { force: true });
} else if (verb === 'stop') stop();
else if (verb === 'restart') { stop(); start(); }
`;
