import { parseArgs } from 'node:util';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { createCalendarServer } from '../calendar-server.js';
import { exitWithUsage } from '../demo-server-flags.js';

const { values } = parseArgs({
  options: { calendar: { type: 'string' }, fault: { type: 'string' }, journal: { type: 'string' } },
});
const calendarPath = values.calendar ?? exitWithUsage('Name the calendar: --calendar FILE.ics');

serveStdio(
  () =>
    createCalendarServer({
      calendarPath,
      ...(values.fault === undefined ? {} : { faultPath: values.fault }),
      ...(values.journal === undefined ? {} : { journalPath: values.journal }),
    }),
  // stdout belongs to the protocol.
  { onerror: (error) => process.stderr.write(`${error.message}\n`) },
);
