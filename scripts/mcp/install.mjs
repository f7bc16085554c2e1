// Other people's MCP clients, at fixed versions, from npm into a cache beside the project: too heavy (330 MB) for its own modules.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PACKAGES = {
  '@modelcontextprotocol/conformance': '0.2.0-alpha.12',
  '@modelcontextprotocol/inspector': '2.12.0',
  'mcp-remote': '0.15.1',
  // The conformance suite needs it.
  node: '22.23.3',
};

/**
 * Puts them there if they are not.
 * @returns the programs: how to start each, as the beginning of a command line.
 */
export function installClients() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'pao-ci', 'mcp-clients');
  const stamp = join(folder, 'installed.json');
  const wanted = JSON.stringify(PACKAGES);
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    // The package `node` puts the program in its place by an install script.
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }');
    const specs = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`);
    // Not with --prefix: npm would look for its own settings (certificates, registry) there as well.
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error', ...specs], {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    writeFileSync(stamp, wanted);
  }
  const bin = (name) => join(folder, 'node_modules', '.bin', name);
  const node22 = join(folder, 'node_modules', 'node', 'bin', 'node');
  return {
    inspector: [process.execPath, bin('mcp-inspector'), '--cli'],
    remote: [process.execPath, bin('mcp-remote')],
    conformance: [node22, bin('conformance')],
  };
}
