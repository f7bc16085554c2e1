import { startChatServer } from '../chat-server.js';
import { readDemoServerFlags } from '../demo-server-flags.js';
import { runDemoServer } from '../run-demo-server.js';

void runDemoServer({ name: 'chat', ...readDemoServerFlags(), start: (port) => startChatServer({ port }) });
