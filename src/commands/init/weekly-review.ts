import { InitTemplateCommand } from '../../cli/init-template-command.js';

/** Writes the template weekly-review. */
export default class InitWeeklyReview extends InitTemplateCommand {
  static override summary = 'Write a review of the week for Friday afternoon';
  static override examples = ['<%= config.bin %> init weekly-review --demo'];
  protected readonly template = 'weekly-review';
  protected readonly loadMaker = () => import('../../demo/template-maker.js');
}
