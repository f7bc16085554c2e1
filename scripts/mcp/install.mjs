// Other people's MCP clients and servers, at fixed versions, from npm into a cache beside the project: too heavy (330 MB) for its own modules.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const CLIENTS = {
  '@modelcontextprotocol/conformance': '0.2.0-alpha.12',
  '@modelcontextprotocol/inspector': '2.12.0',
  'mcp-remote': '0.15.1',
  // The conformance suite needs it.
  node: '22.23.3',
};

/** The reference servers, which are built on the v1 SDK. */
const SERVERS = {
  '@modelcontextprotocol/server-everything': '2026.8.31',
  '@modelcontextprotocol/server-filesystem': '2026.8.31',
};

/** Puts packages into a folder of the cache if they are not there. @returns the folder. */
function install(name, packages) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'pao-ci', name);
  const stamp = join(folder, 'installed.json');
  const wanted = JSON.stringify(packages);
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    // The package `node` puts the program in its place by an install script.
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }');
    const specs = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
    // Not with --prefix: npm would look for its own settings (certificates, registry) there as well.
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error', ...specs], {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    writeFileSync(stamp, wanted);
  }
  return folder;
}

/** @returns the programs: how to start each, as the beginning of a command line. */
export function installClients() {
  const folder = install('mcp-clients', CLIENTS);
  const bin = (name) => join(folder, 'node_modules', '.bin', name);
  const node22 = join(folder, 'node_modules', 'node', 'bin', 'node');
  return {
    inspector: [process.execPath, bin('mcp-inspector'), '--cli'],
    remote: [process.execPath, bin('mcp-remote')],
    conformance: [node22, bin('conformance')],
  };
}

/** @returns how pao starts each of the servers over stdio: what stands in a catalog. */
export function installServers() {
  const folder = install('mcp-servers', SERVERS);
  const start = (name, ...args) => ({
    transport: 'stdio',
    command: process.execPath,
    args: [join(folder, 'node_modules', '@modelcontextprotocol', name, 'dist', 'index.js'), ...args],
  });
  return {
    filesystem: (directory) => start('server-filesystem', directory),
    everything: () => start('server-everything', 'stdio'),
  };
}
