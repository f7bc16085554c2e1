import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Pao, runPao, startPao } from './start-pao.js';

let pao: Pao;
let file: string;

beforeAll(async () => {
  pao = await startPao();
  file = join(pao.home, 'orchestrator.db');
  for (let index = 0; index < 20; index++) {
    const pipeline = [{ id: 'one', uses: 'debug.echo', with: { text: 'x'.repeat(2000) } }];
    const { status } = await pao.api('POST', '/v1/tasks', { name: `task-${index}`, pipeline });
    if (status !== 201) throw new Error(`The task was not taken: ${status}`);
  }
  await pao.stop();
});
afterAll(() => pao.cleanUp());

const hash = () => createHash('sha256').update(readFileSync(file)).digest('hex');

it.each<[string, () => void]>([
  [
    'overwritten in the middle',
    () => {
      const at = Math.floor(statSync(file).size / 8192) * 4096;
      const descriptor = openSync(file, 'r+');
      writeSync(descriptor, Buffer.alloc(4096, 0xab), 0, 4096, at);
      closeSync(descriptor);
    },
  ],
  ['cut short', () => truncateSync(file, statSync(file).size - 3 * 4096)],
  ['something else', () => writeSync(openSync(file, 'r+'), Buffer.alloc(4096, 'diary\n'), 0, 4096, 0)],
])('a database file that is %s is refused with a way out, and left as it is', async (_, damage) => {
  const sound = readFileSync(file);
  damage();
  const before = hash();
  const result = await runPao(['start', 'local', '--port', '0'], { home: pao.home });
  expect(result.code).toBe(3);
  expect(result.stderr).toContain(file);
  expect(result.stderr).toContain('pao db restore');
  expect(result.stderr).not.toContain('    at ');
  expect(hash()).toBe(before);
  expect(existsSync(join(pao.home, 'run', 'server.json'))).toBe(false);
  const descriptor = openSync(file, 'w');
  writeSync(descriptor, sound);
  closeSync(descriptor);
});

it('starts again with the sound file', async () => {
  const again = await startPao({ home: pao.home });
  const { body } = await again.api<{ items: unknown[] }>('GET', '/v1/tasks?limit=100');
  expect(body.items).toHaveLength(20);
  await again.stop();
});
