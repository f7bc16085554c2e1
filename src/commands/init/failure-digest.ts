import { InitTemplateCommand } from '../../cli/init-template-command.js';

/** Writes the template failure-digest. */
export default class InitFailureDigest extends InitTemplateCommand {
  static override summary = 'Write a digest of what did not work since yesterday';
  static override examples = ['<%= config.bin %> init failure-digest --demo'];
  protected readonly template = 'failure-digest';
  protected readonly loadMaker = () => import('../../demo/template-maker.js');
}
