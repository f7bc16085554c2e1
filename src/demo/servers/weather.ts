import { readDemoServerFlags } from '../demo-server-flags.js';
import { runDemoServer } from '../run-demo-server.js';
import { startWeatherServer } from '../weather-server.js';

void runDemoServer({
  name: 'weather',
  ...readDemoServerFlags(),
  start: (port) => startWeatherServer({ port }),
});
