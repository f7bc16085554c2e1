import { spawn } from 'node:child_process';

/** How long a program that opens browsers is waited for; one that runs on has opened its own, milliseconds. */
const WAIT_MS = 1500;

/** The program that opens an address as the person is used to. */
function opener(platform: NodeJS.Platform): [command: string, ...args: string[]] {
  if (platform === 'darwin') return ['open'];
  // Not through cmd.exe, to which & is a command.
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  return ['xdg-open'];
}

/** Whether somebody can see a browser that is opened here: a screen, and nobody who came in over the network. */
export function hasScreen(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): boolean {
  if (env['SSH_CONNECTION']) return false;
  if (platform === 'darwin' || platform === 'win32') return true;
  return Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY']);
}

/** Opens an address in the person's browser. @returns false when there is no way to. */
export function openBrowser(
  url: string,
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Promise<boolean> {
  const [command, ...args] = opener(platform);
  return new Promise((resolve) => {
    const child = spawn(command, [...args, url], { env, detached: true, stdio: 'ignore' });
    const timer = setTimeout(() => done(true), WAIT_MS);
    const done = (isOpen: boolean) => {
      clearTimeout(timer);
      child.unref();
      resolve(isOpen);
    };
    child.once('error', () => done(false));
    child.once('exit', (code) => done(code === 0));
  });
}
