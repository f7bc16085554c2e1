import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('the npm package has what `npm start` and the commands need, and nothing that makes a fresh clone ready', () => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [packed] = JSON.parse(
    execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  ) as { files: { path: string }[] }[];
  const files = packed?.files.map(({ path }) => path) ?? [];
  const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
    scripts: { start: string };
  };
  expect(files).toEqual(
    expect.arrayContaining([
      scripts.start.replace('node ', ''),
      'bin/run.cjs',
      'bin/load.cjs',
      'dist/main.cjs',
      'dist/service.cjs',
      'oclif.manifest.json',
      'server.json',
      'ops/prometheus/rules.yml',
    ]),
  );
  expect(files.some((path) => /^dist\/_pao_dashboard-.*\.cjs$/.test(path))).toBe(true);
  expect(files).not.toContain('scripts/bootstrap.mjs');
});
