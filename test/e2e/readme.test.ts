import { readFileSync, writeFileSync } from 'node:fs';
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
