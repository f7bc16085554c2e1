import { existsSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { sep } from 'node:path';

/** Where nothing is meant to outlive a reboot. */
const TEMPORARY = ['/tmp', '/var/tmp', '/dev/shm', '/run'];

/**
 * Why nobody would have this machine start pao by itself, as a sentence; null on a person's machine that can.
 * Needs nothing running and asks no program.
 */
export function whyNoService({
  env,
  home,
  platform = process.platform,
}: {
  env: Readonly<Record<string, string | undefined>>;
  home: string;
  platform?: NodeJS.Platform;
}): string | null {
  if (env['CI']) return 'This is a CI run.';
  if (platform !== 'linux' && platform !== 'darwin') return 'pao makes no services on this platform.';
  // As systemd and Kubernetes say it, and where Docker and Podman do.
  const saysContainer = env['container'] ?? env['KUBERNETES_SERVICE_HOST'];
  if (saysContainer || ['/.dockerenv', '/run/.containerenv'].some((file) => existsSync(file)))
    return 'This is a container, which starts its programs itself.';
  // sd_booted(3)
  if (platform === 'linux' && !existsSync('/run/systemd/system')) return 'This machine has no systemd.';
  const folders = [tmpdir(), ...TEMPORARY].map(real);
  if (folders.some((folder) => real(home).startsWith(`${folder}${sep}`)))
    return 'The data directory is a temporary one.';
  return null;
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
