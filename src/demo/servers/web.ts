import { readDemoServerFlags } from '../demo-server-flags.js';
import { runDemoServer } from '../run-demo-server.js';
import { startWebServer } from '../web-server.js';

void runDemoServer({ name: 'web', ...readDemoServerFlags(), start: (port) => startWebServer({ port }) });
