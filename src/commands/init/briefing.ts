import { InitTemplateCommand } from '../../cli/init-template-command.js';

/** Writes the template briefing. */
export default class InitBriefing extends InitTemplateCommand {
  static override summary = 'Write a morning briefing to start from, with demo servers if you like';
  static override examples = [
    '<%= config.bin %> init briefing --demo',
    '<%= config.bin %> init briefing --dir briefing --timezone Europe/Chisinau',
    '<%= config.bin %> init briefing --stop-demo',
  ];
  protected readonly template = 'briefing';
  protected readonly loadMaker = () => import('../../demo/template-maker.js');
}
