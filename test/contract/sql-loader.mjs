import { readFile } from 'node:fs/promises';
import { register } from 'node:module';

// For processes that run the sources with tsx: `node --import tsx --import ./test/contract/sql-loader.mjs file.ts`.
// SQL files are text modules, as in vitest.config.ts and in the bundle.
if (!import.meta.url.includes('?hooks')) register(`${import.meta.url}?hooks`);

export async function load(url, context, next) {
  if (!url.split('?')[0].endsWith('.sql')) return next(url, context);
  const text = await readFile(new URL(url.split('?')[0]), 'utf8');
  return { format: 'module', shortCircuit: true, source: `export default ${JSON.stringify(text)};` };
}
