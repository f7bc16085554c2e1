import { parseArgs } from 'node:util';

/**
 * Reads the flags that every HTTP demo server takes when it is run by hand: `--port N` (0 for a free one, the default)
 * and `--or-free-port`; `extra` names further flags that take a text.
 */
export function readDemoServerFlags<const Name extends string = never>(extra: readonly Name[] = []) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'or-free-port': { type: 'boolean', default: false },
      ...Object.fromEntries(extra.map((name) => [name, { type: 'string' as const }])),
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    exitWithUsage('--port must be a number from 0 to 65535.');
  return {
    port,
    orFreePort: values['or-free-port'] === true,
    text: values as Partial<Record<Name, string>>,
  };
}

/** Says what is missing and ends the process with the exit code for wrong usage. */
export function exitWithUsage(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
