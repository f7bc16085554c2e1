import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The rows that say people are told. */
const TOLD = ['F6', 'F9', 'F15', 'F19'];

test('every row of docs/failures.md names a test that is there and says so in its title', () => {
  const rows = [
    ...readFileSync(at('docs/failures.md'), 'utf8').matchAll(/^\| (F\d+) \|.*\| (\S+) \|$/gm),
  ].map(([, id = '', file = '']) => ({ id, file }));
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, index) => `F${index + 1}`));
  const unproved = rows.filter(
    ({ id, file }) =>
      !existsSync(at(file)) ||
      !new RegExp(`\\b(describe|it|test)\\(\\s*['"]${id}:`).test(readFileSync(at(file), 'utf8')),
  );
  expect(unproved).toEqual([]);
  const untold = rows.filter(({ id, file }) => {
    const [, ...blocks] = readFileSync(at(file), 'utf8').split(/^describe\('/m);
    return (
      TOLD.includes(id) &&
      !blocks.some((block) => block.startsWith(`${id}:`) && block.includes('world.notices'))
    );
  });
  expect(untold).toEqual([]);
});
