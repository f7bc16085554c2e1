import { InitTemplateCommand } from '../../cli/init-template-command.js';

/** Writes the template site-watch. */
export default class InitSiteWatch extends InitTemplateCommand {
  static override summary = 'Write a task that watches a page and tells what changed';
  static override examples = ['<%= config.bin %> init site-watch --demo'];
  protected readonly template = 'site-watch';
  protected readonly loadMaker = () => import('../../demo/template-maker.js');
}
