#!/usr/bin/env node
// `npm run bench [NAME…]`: runs the measurements of bench/ one after the other and prints one JSON document.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootstrap } from './bootstrap.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
await bootstrap();
const all = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`There is no measurement ${unknown.join(', ')}. There are: ${all.join(', ')}\n`);
  process.exit(2);
}
const results = {};
for (const name of wanted.length > 0 ? wanted : all) {
  process.stderr.write(`Measuring ${name}…\n`);
  const output = await run(join(root, 'bench', `${name}.ts`));
  try {
    results[name] = JSON.parse(output);
  } catch {
    results[name] = output;
  }
}
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);

/** What a measurement prints. */
async function run(file) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--import', './test/contract/sql-loader.mjs', file],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const code = await new Promise((done) => child.once('close', done));
  if (code !== 0) process.exitCode = 1;
  return output;
}
