/** The groups of the first help page, in the order a newcomer meets the commands; the rest goes under MORE. */
export const HELP_GROUPS: readonly { title: string; names: readonly string[] }[] = [
  { title: 'RUN IT', names: ['init', 'start', 'status', 'dashboard', 'top', 'logs', 'stop', 'service'] },
  {
    title: 'GIVE IT WORK',
    names: ['task', 'run', 'channel', 'delivery', 'event', 'hook', 'tool', 'agent', 'secret'],
  },
  {
    title: 'PROVE IT WORKS',
    names: ['doctor', 'validate', 'lint-scheduler', 'simulate', 'test', 'check', 'final-validation', 'bench'],
  },
  { title: 'OPERATE IT', names: ['db', 'mcp', 'api', 'scheduler', 'worker'] },
];
