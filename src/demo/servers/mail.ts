import { exitWithUsage, readDemoServerFlags } from '../demo-server-flags.js';
import { startMailServer } from '../mail-server.js';
import { createMaildirSource } from '../maildir-source.js';
import { runDemoServer } from '../run-demo-server.js';

const flags = readDemoServerFlags(['maildir']);
const maildir = flags.text.maildir ?? exitWithUsage('Name the mailbox: --maildir DIRECTORY');
// By environment: an argument would show the token to everyone who may list processes.
const token =
  process.env.PAO_DEMO_MAIL_TOKEN ?? exitWithUsage('Set PAO_DEMO_MAIL_TOKEN to the bearer token.');

void runDemoServer({
  name: 'mail',
  ...flags,
  start: (port) => startMailServer({ port, token, source: createMaildirSource(maildir) }),
});
