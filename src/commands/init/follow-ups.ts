import { InitTemplateCommand } from '../../cli/init-template-command.js';

/** Writes the template follow-ups. */
export default class InitFollowUps extends InitTemplateCommand {
  static override summary =
    'Write a task that says who still waits for an answer, at the end of each working day';
  static override examples = ['<%= config.bin %> init follow-ups --demo'];
  protected readonly template = 'follow-ups';
  protected readonly loadMaker = () => import('../../demo/template-maker.js');
}
