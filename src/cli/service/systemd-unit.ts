import { join } from 'node:path';
import { environmentOf, factsLine, type ServiceProgram } from './program.js';

/** Variables for the service alone, secrets too: `NAME=value` lines, mode 0600. */
export const environmentFile = (home: string): string => join(home, 'service.env');

/**
 * A unit of the person's own systemd that runs pao (systemd.service(5), systemd.exec(5); quoting: systemd.syntax(7)).
 * A stop by hand ends with exit code 0 and stays; what crashed, or found a port or a disk missing, is started again for as
 * long as it takes; exit code 2 (a wrong configuration) is not mended by starting again.
 */
export function systemdUnit(program: ServiceProgram): string {
  const { node, bin, home, folder, stopSeconds } = program;
  const variables = Object.entries(environmentOf(program)).map(
    ([name, value]) => `Environment=${quoted(`${name}=${value}`)}`,
  );
  return `# ${factsLine(program)}
# Made anew by that command. Changes of yours: systemctl --user edit. Secrets do not belong here: pao secret set, or
# variables in the EnvironmentFile below (mode 0600).
[Unit]
Description=pao, personal agent orchestrator
StartLimitIntervalSec=0

[Service]
Type=exec
${variables.join('\n')}
EnvironmentFile=-${asPath(environmentFile(home))}
WorkingDirectory=${asPath(folder)}
UMask=0077
ExecStart=${command([node, bin, 'start', 'local'])}
Restart=on-failure
RestartSec=10s
RestartPreventExitStatus=2
SuccessExitStatus=130 143
# Only pao itself is told; it ends its own services, letting running work finish.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=${stopSeconds}s

[Install]
WantedBy=default.target
`;
}

/**
 * An argument vector; with a dollar in it, `:` says that nothing is a variable. A program with a quote or a backslash in
 * its name is refused as the first word, and taken by env(1).
 */
function command([node = '', ...rest]: readonly string[]): string {
  const words = [...(/["'\\]/.test(node) ? ['/usr/bin/env', node] : [node]), ...rest];
  return `${words.some((word) => word.includes('$')) ? ':' : ''}${words.map(quoted).join(' ')}`;
}

/** One word: `%` begins a specifier everywhere, a backslash an escape in words. */
function quoted(word: string): string {
  const text = word.replaceAll('%', '%%');
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** A setting that is one path takes it as it is, but for specifiers; a space or backslash at its end would be lost. */
const asPath = (path: string): string => path.replaceAll('%', '%%').replace(/[\s\\]$/, '$&/');
