import type { Manifest } from '@oclif/core/interfaces';
import { BundledPlugin } from './bundled-plugin.js';

/** Loads every command and makes oclif's manifest of them; part of the build. */
export async function createManifest(root: string): Promise<Manifest> {
  return new ManifestPlugin(root).createManifest();
}

/** oclif makes a manifest itself when it finds none; only where its commands come from is ours. */
class ManifestPlugin extends BundledPlugin {
  async createManifest(): Promise<Manifest> {
    Object.assign(this.options, {
      ignoreManifest: true,
      errorOnManifestCreate: true,
      respectNoCacheDefault: true,
    });
    const ids = [...this.commandIDs].sort();
    const inner = this as unknown as { getCommandIDs(): Promise<string[]>; _manifest(): Promise<Manifest> };
    inner.getCommandIDs = async () => ids;
    return inner._manifest();
  }
}
