import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';

/** Says which pao, Node and system this is, for bug reports. */
export default class Version extends BaseCommand<typeof Version> {
  static override summary = 'Say which pao, Node and system this is';
  static override examples = ['<%= config.bin %> version --json'];
  static override baseFlags = LOCAL_FLAGS;

  async run(): Promise<Record<string, string>> {
    const versions = {
      pao: this.config.version,
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      root: this.packageRoot,
    };
    this.out.pairs(Object.entries(versions));
    return versions;
  }
}
