import type { SuiteReport } from '../check.js';

/** The JSON document of interfaces.md, as `--json` prints it. */
export const jsonReport = (report: SuiteReport): string => `${JSON.stringify(report, null, 2)}\n`;
