import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import type { InstallPlan, InstallResult } from '../../cli/service/install-service.js';
import type { RunFile } from '../../server/supervisor/run-file.js';

/** Has the operating system start pao at login and after a crash. */
export default class ServiceInstall extends BaseCommand<typeof ServiceInstall> {
  static override summary = 'Have pao started when you log in, and again after a crash';
  static override description =
    "A unit of your own systemd (Linux) or a launch agent (macOS) that runs this pao with this Node.js on this data directory, with the settings that hold here. No root is needed. A second time changes what is different. On Windows, --print shows the Task Scheduler's commands.";
  static override examples = [
    '<%= config.bin %> service install',
    '<%= config.bin %> service install --print',
    'cd ~/work && <%= config.bin %> service install --name work',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    name: Flags.string({
      summary: 'Name of the service, where several data directories have one; pao when left out',
      helpValue: 'NAME',
    }),
    print: Flags.boolean({ summary: 'Show the file and the commands, and change nothing' }),
    yes: Flags.boolean({
      summary: 'A pao that runs already is stopped without asking; the service starts it again',
    }),
  };

  async run(): Promise<unknown> {
    const home = this.dataDirectory();
    const [{ findProgram }, { managerHere }, { planInstall, installService }, lines, { readRunFile }] =
      await Promise.all([
        import('../../cli/service/find-program.js'),
        import('../../cli/service/manager-here.js'),
        import('../../cli/service/install-service.js'),
        import('../../cli/render/service-lines.js'),
        import('../../server/supervisor/run-file.js'),
      ]);
    const here = managerHere(this.process);
    const { env, cwd } = this.process;
    const { program, remarks } = await findProgram({
      env,
      cwd,
      home,
      packageRoot: this.packageRoot,
      execPath: process.execPath,
      hasEnvironmentFile: here?.manager.hasEnvironmentFile ?? false,
    });
    if (here === null) {
      const { windowsTask } = await import('../../cli/service/windows-task.js');
      const commands = windowsTask(program);
      if (this.flags.print) return lines.printCommands(this.out, commands);
      throw (await import('../../cli/service/require-manager.js')).unsupported(commands);
    }
    const { manager, run } = here;
    const plan = planInstall(manager, program, this.flags.name);
    if (this.flags.print) return lines.printPlan(this.out, manager, plan, remarks);
    const options = { manager, program, plan, run, signal: this.signal };
    const handOver = (running: RunFile) => this.#handOver(running, program.stopSeconds * 1000);
    const before = readRunFile(home)?.database;
    const result = await installService({ ...options, handOver });
    const after = readRunFile(home)?.database;
    if (result.replaced !== null && before !== undefined && after !== before) {
      remarks.push({
        message: `The pao that was started by hand kept its data in ${before}; the service keeps it in ${after}.`,
        hint: 'Write database_url into pao.config.yaml, and: pao service install',
      });
    }
    const startsAtBoot = await manager.startsAtBoot();
    lines.showInstalled(this.out, { manager, plan, result, remarks, startsAtBoot, home });
    return this.#document(plan, result, { home, remarks, starts_at_boot: startsAtBoot });
  }

  async #handOver(running: RunFile, timeoutMs: number): Promise<void> {
    const [{ confirm }, { stopRunning }] = await Promise.all([
      import('../../cli/confirm.js'),
      import('../../cli/stop-running.js'),
    ]);
    await confirm(
      `pao runs already (process ${running.pid}), started by hand. Stop it, and let the service start it again?`,
      { yes: this.flags.yes ?? false, process: this.process },
    );
    this.out.note('Stopping it: running work may finish.');
    await stopRunning(running, { timeoutMs, signal: this.signal });
  }

  #document({ name, file, changes }: InstallPlan, result: InstallResult, rest: object) {
    return { ...result, name, file, changes, ...rest };
  }
}
