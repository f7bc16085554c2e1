#!/usr/bin/env node
'use strict';
const { join } = require('node:path');

const root = join(__dirname, '..');
const [, , first, ...rest] = process.argv;
if ((first === '--version' || first === '-v') && rest.length === 0) {
  // Nothing of pao or oclif is needed for this, so nothing of it is loaded.
  const { name, version } = require('../package.json');
  // What can not be written is told as everywhere else.
  process.stdout.once('error', () => require('../dist/main.cjs').main(root));
  process.stdout.write(`${name}/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
} else {
  require('../dist/main.cjs').main(root);
}
