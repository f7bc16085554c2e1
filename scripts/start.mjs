#!/usr/bin/env node
// `npm start`: makes a fresh clone ready, then is `pao start local`, in this same process.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bootstrap } from './bootstrap.mjs';

await bootstrap();
const entry = fileURLToPath(new URL('../bin/run.cjs', import.meta.url));
process.argv = [process.argv[0], entry, 'start', 'local', ...process.argv.slice(2)];
createRequire(import.meta.url)(entry);
