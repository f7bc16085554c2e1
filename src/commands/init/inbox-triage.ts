import { InitTemplateCommand } from '../../cli/init-template-command.js';

/** Writes the template inbox-triage. */
export default class InitInboxTriage extends InitTemplateCommand {
  static override summary = 'Write a task that sorts what came in, three times a day';
  static override examples = ['<%= config.bin %> init inbox-triage --demo'];
  protected readonly template = 'inbox-triage';
  protected readonly loadMaker = () => import('../../demo/template-maker.js');
}
