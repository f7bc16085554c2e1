import { InitTemplateCommand } from '../../cli/init-template-command.js';

/** Writes the template backup-check. */
export default class InitBackupCheck extends InitTemplateCommand {
  static override summary = 'Write a task that tells when a backup did not come';
  static override examples = ['<%= config.bin %> init backup-check --demo'];
  protected readonly template = 'backup-check';
  protected readonly loadMaker = () => import('../../demo/template-maker.js');
}
