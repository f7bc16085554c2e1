import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';

/** Takes back what `pao service install` did. */
export default class ServiceUninstall extends BaseCommand<typeof ServiceUninstall> {
  static override summary = 'Stop the service, and have pao started by hand alone';
  static override description =
    'Running work may finish. Deletes the file of the service; tasks, runs and everything else in the data directory stay.';
  static override examples = ['<%= config.bin %> service uninstall'];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;

  async run(): Promise<unknown> {
    const home = this.dataDirectory();
    const [{ requireManager }, { serviceOf }, { uninstallService }] = await Promise.all([
      import('../../cli/service/require-manager.js'),
      import('../../cli/service/find-service.js'),
      import('../../cli/service/uninstall-service.js'),
    ]);
    const { manager, run } = requireManager(this.process);
    const service = serviceOf(manager, home);
    if (service === null) {
      this.out.note(`No service starts pao on ${home}.`);
      return { uninstalled: false, home, name: null, file: null };
    }
    const { name, file } = service;
    const { told } = await uninstallService(manager, service, { run, signal: this.signal });
    this.out.success(`Deleted ${file}${told ? '; what it ran is stopped' : ''}`);
    if (!told) this.out.note('There is no session of yours here in which it could run.');
    this.out.note(`Tasks and runs stay in ${home}.`);
    this.out.hint('pao start local --detach');
    return { uninstalled: true, home, name, file };
  }
}
