import type { ServiceProgram } from './program.js';

/**
 * PowerShell that makes a task of the Task Scheduler which starts pao at logon. Not `schtasks`: what that makes waits for
 * mains power, is ended on battery, and is ended after three days.
 */
export function windowsTask({ node, bin, home, folder }: ServiceProgram): string[] {
  return [
    `[Environment]::SetEnvironmentVariable('PAO_HOME', ${quoted(home)}, 'User')`,
    `$action = New-ScheduledTaskAction -Execute ${quoted(node)} -Argument ${quoted(`"${bin}" start local`)} -WorkingDirectory ${quoted(folder)}`,
    '$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -ExecutionTimeLimit 0 -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1)',
    'Register-ScheduledTask -TaskName pao -Action $action -Settings $settings -Trigger (New-ScheduledTaskTrigger -AtLogOn -User $env:USERNAME)',
    'Start-ScheduledTask -TaskName pao',
  ];
}

/** A string of PowerShell in which nothing is replaced. */
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
