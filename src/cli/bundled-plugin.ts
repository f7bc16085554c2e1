import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '@oclif/core/command';
import { Plugin } from '@oclif/core/config';
import type { Manifest, PJSON } from '@oclif/core/interfaces';
import { commands } from 'pao:commands';
import packageJson from '../../package.json' with { type: 'json' };

/**
 * The one oclif plugin: its commands are chunks of the bundle, named by the table `pao:commands`.
 * oclif's own `load` would search the disk and sort with `localeCompare`, which starts ICU (10 ms).
 */
export class BundledPlugin extends Plugin {
  constructor(root: string) {
    super({ root, name: packageJson.name, isRoot: true });
    this.root = root;
    this.name = packageJson.name;
    this.alias = packageJson.name;
    this.version = packageJson.version;
    this.pjson = packageJson as unknown as PJSON;
    this.type = 'core';
    this.moduleType = 'module';
    this.isRoot = true;
    this.valid = true;
    this.hooks = {};
    this.commandIDs = Object.keys(commands);
  }

  override async load(): Promise<void> {
    const path = join(this.root, 'dist', 'oclif.manifest.json');
    this.useManifest(JSON.parse(readFileSync(path, 'utf8')) as Manifest);
  }

  /** Takes the commands from a manifest, without loading any of them. */
  useManifest(manifest: Manifest): void {
    this.manifest = manifest;
    this.hasManifest = true;
    this.commands = Object.entries(manifest.commands).map(([id, command]) => ({
      ...command,
      pluginAlias: this.alias,
      pluginType: this.type,
      load: () => this.findCommand(id, { must: true }),
    }));
  }

  override findCommand(id: string, options: { must: true }): Promise<Command.Class>;
  override findCommand(id: string, options?: { must: boolean }): Promise<Command.Class | undefined>;
  override async findCommand(id: string, options?: { must: boolean }): Promise<Command.Class | undefined> {
    const load = commands[id];
    if (!load) {
      if (options?.must) throw new Error(`The command table has no ${id}.`);
      return undefined;
    }
    const command = (await load()).default as unknown as Command.Class;
    command.id = id;
    command.plugin = this;
    return command;
  }
}
