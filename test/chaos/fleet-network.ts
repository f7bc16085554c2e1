import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Cluster } from '../postgres/cluster.js';

/** A host with an address of its own: a network namespace joined to this one by a pair of interfaces. */
export interface Host {
  /** How a command is run on it. */
  prefix: string[];
  /** The address this machine has on the link. */
  gateway: string;
  /** Cuts it off, or joins it again. */
  link(state: 'up' | 'down'): void;
  remove(): void;
}

/**
 * Makes a host.
 * @returns null where namespaces can not be made (no root, no iproute2): the caller says what is not covered.
 */
export function makeHost(name: string, octet: number): Host | null {
  const [near, far] = [`${name}n`, `${name}f`];
  const gateway = `10.213.${octet}.1`;
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
  const remove = () => {
    for (const args of [
      ['link', 'delete', near],
      ['netns', 'delete', name],
    ])
      try {
        ip(...args);
      } catch {
        // It is gone, or was never made.
      }
  };
  try {
    remove();
    ip('netns', 'add', name);
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far);
    ip('link', 'set', far, 'netns', name);
    ip('addr', 'add', `${gateway}/30`, 'dev', near);
    ip('link', 'set', near, 'up');
    ip('netns', 'exec', name, 'ip', 'addr', 'add', `10.213.${octet}.2/30`, 'dev', far);
    ip('netns', 'exec', name, 'ip', 'link', 'set', far, 'up');
    ip('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up');
  } catch {
    remove();
    return null;
  }
  return {
    prefix: ['ip', 'netns', 'exec', name],
    gateway,
    link: (state) => void ip('link', 'set', near, state),
    remove,
  };
}

/** Lets hosts of 10.213.0.0/16 in. The cluster must listen on all addresses. */
export async function admitHosts(cluster: Cluster): Promise<void> {
  appendFileSync(join(cluster.directory, 'data', 'pg_hba.conf'), 'host all all 10.213.0.0/16 trust\n');
  const client = new pg.Client({ connectionString: cluster.url });
  await client.connect();
  await client.query('SELECT pg_reload_conf()');
  await client.end();
}
