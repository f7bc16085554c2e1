import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import type { CiPlatform } from '../../cli/ci-pipeline.js';
import { Flags } from '../../cli/flags.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { makeFolder } from '../../server/supervisor/make-folder.js';

const platform = { exactlyOne: ['github', 'gitlab', 'generic'] };

/** Writes a CI pipeline that gates on what pao can prove. */
export default class InitCi extends BaseCommand<typeof InitCi> {
  static override summary = 'Write a CI pipeline that proves schedules and the system';
  static override description =
    'The pipeline runs validate scheduler, lint-scheduler, test system, final-validation and check observability, and publishes JUnit, SARIF and HTML.';
  static override examples = [
    '<%= config.bin %> init ci --github',
    '<%= config.bin %> init ci --gitlab --output pao.gitlab-ci.yml',
    '<%= config.bin %> init ci --generic && ci/pao.sh',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    github: Flags.boolean({ summary: 'GitHub Actions: .github/workflows/pao.yml', ...platform }),
    gitlab: Flags.boolean({ summary: 'GitLab CI: .gitlab-ci.yml', ...platform }),
    generic: Flags.boolean({ summary: 'A shell script for any CI: ci/pao.sh', ...platform }),
    dir: Flags.string({ summary: 'The repository', default: '.', helpValue: 'FOLDER' }),
    output: Flags.string({ summary: 'Another file in it', helpValue: 'FILE' }),
    force: Flags.boolean({ summary: 'Overwrite a file that is there' }),
  };

  async run(): Promise<unknown> {
    const { github, gitlab, dir, output, force } = this.flags;
    const { ciPipeline } = await import('../../cli/ci-pipeline.js');
    const chosen: CiPlatform = github ? 'github' : gitlab ? 'gitlab' : 'generic';
    const { version, commandIDs: available } = this.config;
    const { path: usual, text } = ciPipeline(chosen, { version, available });
    const folder = resolve(this.process.cwd, dir);
    const path = resolve(folder, output ?? usual);
    if (existsSync(path) && !force) {
      throw new PaoError('PAO_FILE_EXISTS', `${path} is there already; nothing was written.`, {
        exitCode: EXIT.usage,
        hints: [
          `pao init ci --${chosen} --output pao.${usual.split('/').at(-1)?.replace(/^\./, '')}`,
          `pao init ci --${chosen} --force`,
        ],
      });
    }
    makeFolder(dirname(path), 0o777);
    writeFileSync(path, text);
    if (chosen === 'generic') chmodSync(path, 0o755);
    this.out.success(`Wrote ${path}`);
    const shown = relative(folder, path);
    if (chosen === 'gitlab' && shown !== usual) this.out.note(`Add to ${usual}: include: ${shown}`);
    this.out.hint(chosen === 'generic' ? `sh ${shown}` : `git add ${shown}`);
    return { platform: chosen, path };
  }
}
