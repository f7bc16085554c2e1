import { durationFlag, Flags } from './flags.js';

/** Flags that every command of a check suite takes (interfaces.md). */
export const SUITE_FLAGS = {
  only: Flags.string({
    summary: 'Run these checks and what they need; * stands for any text',
    helpValue: 'ID,…',
    multiple: true,
    delimiter: ',',
  }),
  skip: Flags.string({
    summary: 'Leave these checks out',
    helpValue: 'ID,…',
    multiple: true,
    delimiter: ',',
  }),
  list: Flags.boolean({ summary: 'Show the checks and run none' }),
  'fail-fast': Flags.boolean({ summary: 'Start no further check after the first that fails' }),
  timeout: durationFlag({ summary: 'Longest time of each check, in place of its own' }),
  concurrency: Flags.integer({ summary: 'Checks that run at once (4)', helpValue: 'N', min: 1, max: 64 }),
  strict: Flags.boolean({ summary: 'A warning fails as well' }),
  junit: Flags.string({ summary: 'Also write JUnit XML', helpValue: 'FILE', multiple: true }),
  report: Flags.string({
    summary: 'Also write a report: .html, .md, .tap, .xml (JUnit) or .json',
    helpValue: 'FILE',
    multiple: true,
  }),
};

/** Flags of suites that can check a system that runs already. */
export const TARGET_FLAGS = {
  target: Flags.string({
    summary: 'Check this running system; otherwise one that is started for it',
    helpValue: 'URL',
  }),
  token: Flags.string({
    summary: 'Token for --target (better: PAO_TOKEN); otherwise the one of the data directory',
    helpValue: 'TOKEN',
    dependsOn: ['target'],
  }),
  'token-file': Flags.string({
    summary: 'File with the token for --target',
    helpValue: 'FILE',
    dependsOn: ['target'],
    exclusive: ['token'],
  }),
  'allow-disruptive': Flags.boolean({
    summary: 'With --target: also run checks that disturb a live system',
    dependsOn: ['target'],
  }),
};
