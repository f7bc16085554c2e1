import { execFile } from 'node:child_process';
import type { ChannelMessage } from '../../../domain/channel.js';
import { ToolError } from '../../../domain/tool-error.js';
import type { ConnectorAnswer, ConnectorCall } from '../connector.js';

/** More is cut off by every desktop. */
const MAX_TEXT = 1000;

interface Program {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/** Shows a message on the desktop this server runs on: notify-send, osascript or PowerShell. */
export function sendDesktop(
  { deadline }: Pick<ConnectorCall, 'deadline'>,
  message: ChannelMessage,
): Promise<ConnectorAnswer> {
  const program = programFor(process.platform, message);
  return new Promise((resolve, reject) => {
    execFile(
      program.command,
      program.args,
      { signal: deadline.signal, env: { ...process.env, ...program.env }, windowsHide: true },
      (error, _stdout, stderr) => {
        if (error === null) resolve({ output: { shown_by: program.command } });
        else if (deadline.signal.aborted) reject(deadline.error(true));
        else reject(desktopError(error, program.command, stderr));
      },
    );
  });
}

/** What is started, and how the texts reach it: as arguments or environment, never as part of a program. */
export function programFor(platform: NodeJS.Platform, message: ChannelMessage): Program {
  const { title = 'pao', text: full, urgent = false } = message;
  const text = full.length > MAX_TEXT ? `${full.slice(0, MAX_TEXT - 1)}…` : full;
  if (platform === 'darwin') {
    const script = [
      'on run argv',
      'display notification (item 2 of argv) with title (item 1 of argv)',
      'end run',
    ].flatMap((line) => ['-e', line]);
    return { command: 'osascript', args: [...script, '--', title, text] };
  }
  if (platform === 'win32') {
    const script = [
      'Add-Type -AssemblyName System.Windows.Forms, System.Drawing',
      '$icon = New-Object System.Windows.Forms.NotifyIcon',
      '$icon.Icon = [System.Drawing.SystemIcons]::Information',
      '$icon.Visible = $true',
      "$icon.ShowBalloonTip(10000, $env:PAO_TITLE, $env:PAO_TEXT, 'Info')",
      'Start-Sleep -Seconds 5',
      '$icon.Dispose()',
    ].join('; ');
    return {
      command: 'powershell.exe',
      args: ['-NoProfile', '-NonInteractive', '-Command', script],
      env: { PAO_TITLE: title, PAO_TEXT: text },
    };
  }
  const urgency = urgent ? 'critical' : 'normal';
  return { command: 'notify-send', args: ['--app-name=pao', `--urgency=${urgency}`, '--', title, text] };
}

function desktopError(error: Error & { code?: unknown }, command: string, stderr: string): ToolError {
  if (error.code === 'ENOENT') {
    const where = command === 'notify-send' ? ' (Debian: apt install libnotify-bin)' : '';
    return new ToolError('config_error', `${command} is not there${where}.`, { cause: error });
  }
  const said = stderr.trim().split('\n', 1)[0] ?? '';
  return new ToolError('tool_error', `${command} failed: ${said === '' ? error.message : said}`, {
    retryable: false,
    cause: error,
  });
}
