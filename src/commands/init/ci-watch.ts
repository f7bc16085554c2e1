import { InitTemplateCommand } from '../../cli/init-template-command.js';

/** Writes the template ci-watch. */
export default class InitCiWatch extends InitTemplateCommand {
  static override summary = 'Write a task that tells when a pipeline turns red';
  static override examples = ['<%= config.bin %> init ci-watch --demo'];
  protected readonly template = 'ci-watch';
  protected readonly loadMaker = () => import('../../demo/template-maker.js');
}
