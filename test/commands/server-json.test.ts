import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { z } from 'zod';

// What the MCP registry asks of a server.json for an npm package (its schema of 2025-12-11 and its official requirements).

const root = new URL('../../', import.meta.url);
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(name, root), 'utf8')) as Record<string, unknown>;

const version = z
  .string()
  .max(255)
  .regex(/^(?!latest$)[^\s^~><=*|]+$/);
const input = z.strictObject({
  name: z.string().min(1),
  description: z.string(),
  format: z.enum(['string', 'number', 'boolean', 'filepath']),
  isRequired: z.boolean(),
  isSecret: z.boolean().optional(),
});
const serverJson = z.strictObject({
  $schema: z
    .string()
    .regex(/^https:\/\/static\.modelcontextprotocol\.io\/schemas\/[\d-]+\/server\.schema\.json$/),
  name: z
    .string()
    .min(3)
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().min(1).max(100),
  description: z.string().min(1).max(100),
  version,
  packages: z
    .array(
      z.strictObject({
        registryType: z.literal('npm'),
        registryBaseUrl: z.literal('https://registry.npmjs.org'),
        identifier: z.string().min(1),
        version,
        runtimeHint: z.literal('npx'),
        transport: z.strictObject({ type: z.literal('stdio') }),
        packageArguments: z.array(
          z.union([
            z.strictObject({ type: z.literal('positional'), value: z.string() }),
            input.extend({ type: z.literal('named'), placeholder: z.string() }),
          ]),
        ),
        environmentVariables: z.array(input),
      }),
    )
    .length(1),
});

test('server.json is what the registry takes, and says what the package is', () => {
  const server = serverJson.parse(read('server.json'));
  const own = read('package.json');
  const [npm] = server.packages;
  expect(own).toMatchObject({ name: npm?.identifier, version: npm?.version, mcpName: server.name });
  expect(server.version).toBe(own['version']);
  expect(own['files']).toContain('server.json');
  const [command, agent] = npm?.packageArguments ?? [];
  const source = fileURLToPath(
    new URL(`src/commands/${(command as { value: string }).value}/index.ts`, root),
  );
  expect(existsSync(source)).toBe(true);
  expect(agent).toMatchObject({ name: '--agent' });
});
