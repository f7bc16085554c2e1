import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { configurationDoc, EXAMPLE } from '../../scripts/configuration-doc.js';
import { KNOWN_ENVIRONMENT } from '../../src/server/config.js';
import { configSchema } from '../../src/server/config-schema.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('docs/configuration.md is what the schema of the settings says: npm run docs', () => {
  const page = read('docs/configuration.md');
  expect(page).toBe(configurationDoc());
  for (const name of [...Object.keys(configSchema.shape), ...KNOWN_ENVIRONMENT])
    expect(page).toContain(`| \`${name}\` |`);
});

test('the example of docs/configuration.md is a valid file', () => {
  const given = parse(EXAMPLE) as Record<string, unknown>;
  expect(configSchema.parse(given)).toMatchObject(given);
});

test('the README names every variable that is a setting', () => {
  const readme = read('README.md');
  for (const name of KNOWN_ENVIRONMENT) expect(readme).toMatch(new RegExp(`^\\| .*\`${name}\``, 'm'));
});
