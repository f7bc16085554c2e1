#!/usr/bin/env node
// `npm start`: makes a fresh clone ready, then is `pao start local`, in this same process. A package is ready as it comes.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

if (existsSync(new URL('bootstrap.mjs', import.meta.url)))
  await import('./bootstrap.mjs').then(({ bootstrap }) => bootstrap());
const entry = fileURLToPath(new URL('../bin/run.cjs', import.meta.url));
process.argv = [process.argv[0], entry, 'start', 'local', ...process.argv.slice(2)];
createRequire(import.meta.url)(entry);
