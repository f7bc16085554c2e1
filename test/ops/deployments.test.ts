import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findProgram } from '../find-program.js';

/*
 * What can be told of ops/ without a container engine and without helm: neither is on the machines that run the tests. Nothing
 * here builds the image or renders the chart.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const ops = join(root, 'ops');
const read = (...path: string[]) => readFileSync(join(ops, ...path), 'utf8');
const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
  commands: Record<string, { flags: Record<string, unknown> }>;
};

/** Words of a command line that pao does not know: no such command, or no such flag of it. */
function unknownWords(words: readonly string[]): string[] {
  const [first = '', second = ''] = words;
  const command = manifest.commands[`${first}:${second}`] ?? manifest.commands[first];
  if (command === undefined) return [first];
  return words.flatMap((word) => {
    const flag = /^--([a-z-]+)/.exec(word)?.[1];
    return flag === undefined || flag in command.flags ? [] : [word];
  });
}

interface ComposeService {
  command?: string[];
  image?: string;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  environment?: Record<string, string>;
}

describe('the Compose file', () => {
  const compose = parse(read('compose.yaml'), { merge: true }) as {
    services: Record<string, ComposeService>;
    volumes: Record<string, unknown>;
  };
  const { services } = compose;

  it('runs a whole fleet, with commands and flags that pao has', () => {
    expect(Object.keys(services).sort()).toEqual(['api', 'postgres', 'redis', 'scheduler', 'worker']);
    for (const name of ['api', 'scheduler', 'worker']) {
      const { command = [], environment = {} } = services[name] as ComposeService;
      expect(command[0]).toBe(name);
      expect(unknownWords(command)).toEqual([]);
      expect(Object.keys(environment)).toEqual(['DATABASE_URL', 'REDIS_URL']);
    }
  });

  it('starts nothing before what it waits for is healthy, and that can be told', () => {
    const waits = Object.values(services).flatMap(({ depends_on = {} }) => Object.entries(depends_on));
    expect(waits.length).toBeGreaterThanOrEqual(8);
    for (const [name, { condition }] of waits) {
      expect(condition).toBe('service_healthy');
      const test = services[name]?.healthcheck?.test ?? [];
      expect(test[0]).toBe('CMD');
      expect(test.slice(1).every((word) => typeof word === 'string')).toBe(true);
    }
  });

  it.each([
    ['api', '8080'],
    ['scheduler', '9464'],
    ['worker', '9464'],
  ])('asks %s where it answers, in a way that fails when nobody does', (name, port) => {
    const { command, healthcheck } = services[name] as ComposeService;
    const [, , flag, script = ''] = healthcheck?.test ?? [];
    expect(flag).toBe('--eval');
    expect(command).toContain(port);
    expect(script).toContain(`http://localhost:${port}/health/ready`);
    // fetch refuses port 9 (discard) whoever listens there.
    const asked = spawnSync(process.execPath, ['--eval', script.replace(`:${port}`, ':9')], {
      encoding: 'utf8',
    });
    expect([asked.status, asked.stderr]).toEqual([1, '']);
  });
});

describe('the Dockerfile', () => {
  it('takes nothing from the folder that the ignore file leaves out', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    const allowed = [...read('Dockerfile.dockerignore').matchAll(/^!(.+)$/gm)].map(([, name]) => name);
    expect(copied.length).toBeGreaterThan(0);
    expect(copied.sort()).toEqual(allowed.sort());
    const bin = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: { pao: string } }).bin
      .pao;
    expect(read('Dockerfile')).toContain(`/app/${bin} /usr/local/bin/pao`);
  });
});

describe('the Helm chart', () => {
  const values = parse(read('helm', 'pao', 'values.yaml')) as Record<string, Record<string, unknown>>;
  const validate = new Ajv({ strict: false, allErrors: true }).compile(
    JSON.parse(read('helm', 'pao', 'values.schema.json')) as object,
  );
  const given = { image: { repository: 'registry.example/pao', tag: '1' }, existingSecret: 'pao' };
  const invalidAt = (over: Record<string, unknown>) => {
    validate({ ...values, ...given, ...over });
    return [...new Set((validate.errors ?? []).map(({ instancePath }) => instancePath))].filter(Boolean);
  };

  it('asks for an image and a secret, and for nothing else', () => {
    validate(values);
    expect((validate.errors ?? []).map(({ instancePath }) => instancePath).sort()).toEqual([
      '/existingSecret',
      '/image/repository',
      '/image/tag',
    ]);
    expect(invalidAt({})).toEqual([]);
  });

  it('refuses values that would do harm', () => {
    expect(invalidAt({ worker: { ...values.worker, concurency: 4 } })).toEqual(['/worker']);
    expect(invalidAt({ scheduler: { ...values.scheduler, replicas: 0 } })).toEqual(['/scheduler/replicas']);
    expect(invalidAt({ api: { ...values.api, replicas: 2 } })).toEqual(['/persistence/accessMode']);
    const shared = { ...values.persistence, accessMode: 'ReadWriteMany' };
    expect(invalidAt({ api: { ...values.api, replicas: 2 }, persistence: shared })).toEqual([]);
  });

  const folder = join(ops, 'helm', 'pao', 'templates');
  const templates = readdirSync(folder).map((file) => ({
    file,
    text: readFileSync(join(folder, file), 'utf8'),
  }));

  it.each(templates)(
    '$file names values and helpers that are there, and closes what it opens',
    ({ text }) => {
      for (const [, path = ''] of text.matchAll(/\.Values((?:\.\w+)+)/g)) {
        const keys = path.slice(1).split('.');
        const found = keys.reduce<unknown>(
          (at, key) => (at as Record<string, unknown> | undefined)?.[key],
          values,
        );
        expect([path, typeof found]).not.toEqual([path, 'undefined']);
      }
      const defined = templates.flatMap((each) =>
        [...each.text.matchAll(/define "([^"]+)"/g)].map(([, name]) => name),
      );
      for (const [, name] of text.matchAll(/include "([^"]+)"/g)) expect(defined).toContain(name);
      const opened = text.match(/\{\{-? *(?:define|if|with|range) /g)?.length ?? 0;
      expect(text.match(/\{\{-? *end *-?\}\}/g)?.length ?? 0).toBe(opened);
      expect(text.match(/\{\{/g)?.length ?? 0).toBe(text.match(/\}\}/g)?.length ?? 0);
    },
  );

  it.each(['api', 'scheduler', 'worker'])('runs pao %s with flags that it has', (kind) => {
    const text = templates.find(({ file }) => file === `${kind}.yaml`)?.text ?? '';
    const listed = /args:\n((?: {12}.*\n)+)/.exec(text)?.[1] ?? '';
    const words = [...listed.matchAll(/- (?:\{\{ printf ")?([^\s"]+)/g)].map(([, word = '']) => word);
    expect(words[0]).toBe(kind);
    expect(unknownWords(words)).toEqual([]);
  });
});

describe('the systemd units', () => {
  const units = readdirSync(join(ops, 'systemd'));
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pao-units-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each(units)('%s runs a command that pao has, as nobody who may do more', (unit) => {
    const text = read('systemd', unit);
    const command = /^ExecStart=\/usr\/bin\/env pao (.+)$/m.exec(text)?.[1]?.split(' ') ?? [];
    expect(unknownWords(command)).toEqual([]);
    for (const line of [
      'User=pao',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'KillMode=mixed',
      'UMask=0077',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(unit.includes('@')).toBe(text.includes('%i'));
  });

  it('pass systemd-analyze verify, which finds a wrong one', () => {
    const analyze = findProgram('systemd-analyze', 'systemd');
    for (const unit of units) copyFileSync(join(ops, 'systemd', unit), join(folder, unit));
    const verify = (...files: string[]) => {
      const paths = files.map((file) => join(folder, file.replace('@', '@1')));
      for (const [index, file] of files.entries()) {
        if (file.includes('@')) copyFileSync(join(folder, file), paths[index] as string);
      }
      const { status, stdout, stderr } = spawnSync(analyze, ['verify', '--man=no', ...paths], {
        encoding: 'utf8',
      });
      const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('pao-'));
      return { status, ours };
    };
    expect(verify(...units)).toEqual({ status: 0, ours: [] });
    const wrong = read('systemd', 'pao-local.service').replace('KillMode=mixed', 'KillMode=gently');
    writeFileSync(join(folder, 'pao-wrong.service'), wrong.replace('Restart=', 'Restrat='));
    const { ours } = verify('pao-wrong.service');
    expect(ours.join('\n')).toMatch(/kill mode/);
    expect(ours.join('\n')).toMatch(/Restrat/);
  });
});
