import { exitWithUsage, readDemoServerFlags } from '../demo-server-flags.js';
import { runDemoServer } from '../run-demo-server.js';
import { startTelegramServer } from '../telegram-server.js';

// By environment: an argument would show the token to everyone who may list processes.
const token =
  process.env.PAO_DEMO_TELEGRAM_TOKEN ??
  exitWithUsage('Set PAO_DEMO_TELEGRAM_TOKEN to the token of the bot.');

void runDemoServer({
  name: 'telegram',
  ...readDemoServerFlags(),
  start: (port) =>
    startTelegramServer({
      port,
      token,
      onMessage: (message) => {
        process.stdout.write(
          `Message ${message.message_id} to chat ${message.chat.id}:\n${message.text}\n\n`,
        );
      },
    }),
});
