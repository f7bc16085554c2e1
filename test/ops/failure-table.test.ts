import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

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
});
