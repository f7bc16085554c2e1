import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pao, startPao } from './start-pao.js';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
let pao: Pao;

beforeAll(async () => {
  pao = await startPao({ workers: 1 });
});
afterAll(async () => {
  await pao.stop();
  pao.cleanUp();
});

test('the task files of the README are taken as they are printed', async () => {
  const files = [...readme.matchAll(/```yaml\n(name: [\s\S]*?)```/g)].map(([, text]) => text as string);
  expect(files.length).toBeGreaterThan(0);
  for (const [index, text] of files.entries()) {
    const file = join(pao.home, `readme-${index}.yaml`);
    writeFileSync(file, text);
    expect(await pao.cli(['task', 'apply', file])).toMatchObject({ code: 0 });
  }
});

/** What a sample of doctor says that is the same on every machine: its groups, what the two findings say, how many checks. */
function said(sample: string) {
  const blocks = sample.split(/^(?=[✔✖!○])/m).filter((block) => !/^○ \d/.test(block));
  const heading = (block: string) => (block.split('\n')[0] as string).slice(2).replace(/ \(.*/, '');
  return {
    groups: blocks.map(heading),
    findings: blocks.filter((block) => ['Files', 'Configuration'].includes(heading(block))),
    // Which of them do not apply depends on the machine.
    checks:
      Number(/\((\d+) checks in/.exec(sample)?.[1]) + Number(/^○ (\d+) checks? did/m.exec(sample)?.[1] ?? 0),
  };
}

test('pao doctor says what the README shows', async () => {
  const [, sample = ''] = /\$ pao doctor\n(.*?)```/s.exec(readme) ?? [];
  const credentials = join(pao.home, 'credentials.json');
  chmodSync(credentials, 0o644);
  try {
    const { stdout } = await pao.cli(['doctor'], { cwd: pao.home, env: { PAO_PROT: '1' } });
    const shown = said(stdout.replaceAll(pao.home, '/home/you/.local/share/pao'));
    expect(shown.findings).toHaveLength(2);
    expect(shown).toEqual(said(sample));
  } finally {
    chmodSync(credentials, 0o600);
  }
});

test('pao lint-scheduler has nothing against the task files of the README', async () => {
  const files = [...readme.matchAll(/```yaml\n(name: [\s\S]*?)```/g)].map(([, text], index) => {
    const file = join(pao.home, `lint-${index}.yaml`);
    writeFileSync(file, text as string);
    return file;
  });
  expect(await pao.cli(['lint-scheduler', '--strict', ...files])).toMatchObject({ code: 0 });
});
