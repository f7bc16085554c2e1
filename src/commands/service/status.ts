import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import type { ServiceStatus as StatusDocument } from '../../cli/service/service-status.js';
import { EXIT } from '../../domain/errors.js';

/** Says whether something starts pao here, and how that is. */
export default class ServiceStatus extends BaseCommand<typeof ServiceStatus> {
  static override summary = 'Show whether pao is started at login, and how its service is';
  static override description =
    'Exit code 0: the service is there, and pao runs under it. 3: it does not. What pao itself says: pao status, pao logs.';
  static override examples = ['<%= config.bin %> service status', '<%= config.bin %> service status --json'];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;

  async run(): Promise<StatusDocument> {
    const [{ requireManager }, { serviceStatus }, { showServiceStatus }] = await Promise.all([
      import('../../cli/service/require-manager.js'),
      import('../../cli/service/service-status.js'),
      import('../../cli/render/service-lines.js'),
    ]);
    const { manager } = requireManager(this.process);
    const status = await serviceStatus(manager, this.dataDirectory());
    const isUp = status.active === 'running' || (status.active === 'starting' && status.pid !== null);
    const isWell = status.installed && status.enabled && isUp;
    if (!isWell) process.exitCode = EXIT.unavailable;
    showServiceStatus(this.out, status);
    return status;
  }
}
