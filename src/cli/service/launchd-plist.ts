import { join } from 'node:path';
import { environmentOf, factsLine, type ServiceProgram } from './program.js';

/** What the service writes besides its log; launchd keeps no journal. */
export const launchdLog = (home: string): string => join(home, 'logs', 'service.log');

type PlistValue = string | number | boolean | readonly PlistValue[] | { [key: string]: PlistValue };

/**
 * A launch agent that runs pao (launchd.plist(5)): at login, and again when it crashed. A stop by hand ends with exit code
 * 0 and stays.
 */
export function launchdPlist(program: ServiceProgram, label: string): string {
  const { node, bin, home, folder, stopSeconds } = program;
  const plist: PlistValue = {
    Label: label,
    ProgramArguments: [node, bin, 'start', 'local'],
    EnvironmentVariables: environmentOf(program),
    WorkingDirectory: folder,
    RunAtLoad: true,
    KeepAlive: { SuccessfulExit: false },
    // Seconds between two starts.
    ThrottleInterval: 10,
    // SIGKILL comes this long after SIGTERM.
    ExitTimeOut: stopSeconds,
    Umask: 0o077,
    StandardOutPath: launchdLog(home),
    StandardErrorPath: launchdLog(home),
  };
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${factsLine(program)} -->
<plist version="1.0">
${element(plist)}
</plist>
`;
}

function element(value: PlistValue, indent = ''): string {
  if (typeof value === 'string') return `${indent}<string>${escaped(value)}</string>`;
  if (typeof value === 'number') return `${indent}<integer>${value}</integer>`;
  if (typeof value === 'boolean') return `${indent}<${value}/>`;
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = (value as readonly PlistValue[]).map((item) => element(item, deeper));
    return `${indent}<array>\n${items.join('\n')}\n${indent}</array>`;
  }
  const entries = Object.entries(value).map(
    ([key, item]) => `${deeper}<key>${escaped(key)}</key>\n${element(item as PlistValue, deeper)}`,
  );
  return `${indent}<dict>\n${entries.join('\n')}\n${indent}</dict>`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

const escaped = (text: string): string =>
  text.replace(/[&<>]/g, (character) => ENTITIES[character] as string);
