import type { SuiteReport } from '../check.js';
import { githubReport } from './github.js';
import { htmlReport } from './html.js';
import { jsonReport } from './json.js';
import { junitReport } from './junit.js';
import { markdownReport } from './markdown.js';
import { tapReport } from './tap.js';

/** Writes a report down. */
export type Reporter = (report: SuiteReport) => string;

/** Every form a report can have. */
export const REPORTERS = {
  json: jsonReport,
  junit: junitReport,
  html: htmlReport,
  markdown: markdownReport,
  tap: tapReport,
  github: githubReport,
} as const satisfies Record<string, Reporter>;

export type ReportFormat = keyof typeof REPORTERS;

/** Which form a file gets, by the end of its name. */
export const FORMAT_OF_EXTENSION: Readonly<Record<string, ReportFormat>> = {
  '.html': 'html',
  '.htm': 'html',
  '.md': 'markdown',
  '.tap': 'tap',
  '.xml': 'junit',
  '.json': 'json',
};
