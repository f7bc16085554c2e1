import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { canInstallDebian, installDebian } from '../install-debian.js';

/** The one without a window starts in half the time. */
const NAMES = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
];
/** Inside a folder of Playwright's own downloads. */
const IN_DOWNLOAD = [
  'chrome-linux/chrome',
  'chrome-linux64/chrome',
  'chrome-mac/Chromium.app/Contents/MacOS/Chromium',
];
const ON_MAC = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/**
 * The Chromium of `PAO_TEST_CHROMIUM`; else one of this machine (PATH, Playwright's downloads); else Debian's is installed, as root.
 * @returns the path of the program.
 * @throws Error that says what was tried, and what to do.
 */
export function findChromium(): string {
  const wanted = process.env.PAO_TEST_CHROMIUM;
  if (wanted !== undefined && wanted !== '') return wanted;
  const found = onMachine();
  if (found !== null) return found;
  const tried = ['none in PATH or among Playwright’s downloads'];
  if (canInstallDebian()) {
    try {
      installDebian('chromium-headless-shell');
      const installed = onMachine();
      if (installed !== null) return installed;
    } catch (error) {
      const { stderr, message } = error as { stderr?: Buffer; message: string };
      tried.push(
        `apt-get install chromium-headless-shell: ${(stderr?.toString() || message).trim().split('\n')[0]}`,
      );
    }
  } else tried.push('it can be installed by root alone');
  throw new Error(
    `There is no Chromium (${tried.join('; ')}): the dashboard was not tried in a browser. As root: apt-get install chromium-headless-shell; or set PAO_TEST_CHROMIUM to one.`,
  );
}

/**
 * Whether there is neither a Chromium nor a way to install one: then a person without root runs the tests, and is told.
 * @param what is not covered then.
 */
export function sayNoChromium(what: string): boolean {
  if (process.env.PAO_TEST_CHROMIUM || onMachine() !== null || canInstallDebian()) return false;
  process.stderr.write(
    `NOT COVERED here, it needs a Chromium: ${what}. As root: apt-get install chromium-headless-shell; or set PAO_TEST_CHROMIUM to one.\n`,
  );
  return true;
}

function onMachine(): string | null {
  const downloads = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), '.cache', 'ms-playwright');
  const kept = existsSync(downloads) ? readdirSync(downloads) : [];
  const candidates = [
    ...(process.env.PATH ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name))),
    ...kept
      .filter((name) => /^chromium-\d+$/.test(name))
      .sort()
      .reverse()
      .flatMap((name) => IN_DOWNLOAD.map((path) => join(downloads, name, path))),
    ON_MAC,
  ];
  return candidates.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
