import { BaseCommand } from '../../cli/base-command.js';
import { loadCatalog } from '../../cli/catalog-file.js';
import { Args } from '../../cli/flags.js';
import { showImport } from '../../cli/render/tool-details.js';
import { showProblems } from '../../cli/render/tool-problems.js';
import type { ToolImportObject } from '../../client/api-objects.js';
import { PaoClient } from '../../client/pao-client.js';
import { EXIT, PaoError } from '../../domain/errors.js';

/** Takes the tools of a catalog file into the catalog of the server. */
export default class ToolImport extends BaseCommand<typeof ToolImport> {
  static override summary = 'Take in the tools of a catalog file';
  static override description =
    'A catalog (YAML or JSON) has tools written out, MCP servers whose tools are all taken in, and OpenAPI documents whose operations are. Tools that are there already are replaced. Paths in it mean the folder it is in.';
  static override examples = [
    '<%= config.bin %> tool import tools.yaml',
    'cat tools.yaml | <%= config.bin %> tool import -',
  ];
  static override args = { file: Args.string({ description: 'The catalog; - is stdin', required: true }) };

  async run(): Promise<ToolImportObject> {
    const { file, document, withLines } = await loadCatalog(this.args.file, this.process);
    const client = new PaoClient(this.connection());
    let imported: ToolImportObject;
    try {
      imported = await client.importTools(document, { signal: this.signal });
    } catch (error) {
      if (!(error instanceof PaoError) || error.problems.length === 0) throw error;
      const { code, message, exitCode, hints } = error;
      throw new PaoError(code, message, {
        exitCode,
        hints,
        problems: withLines(error.problems),
        cause: error,
      });
    }
    showImport(this.out, imported);
    const problems = withLines(imported.problems ?? []);
    if (problems.length > 0) {
      showProblems(this.out, file, problems);
      // Some tools are in, so this is an answer and no error, but a script must not go on as if all were well.
      process.exitCode = EXIT.failed;
    }
    return { ...imported, problems };
  }
}
