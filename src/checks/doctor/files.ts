import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { formatBytes } from '../../domain/bytes.js';
import { readDatabaseUrl } from '../../server/store/database-url.js';
import { isNetworkFileSystem } from '../../server/store/sqlite/open.js';
import type { DoctorContext } from './context.js';
import { broken, type DoctorCheck, doubtful, some } from './finding.js';

const LOG_LIMIT = 200 * 1024 * 1024;
const FEW_INODES = 1000;
/** statfs types of file systems that forget (linux/magic.h): tmpfs, ramfs, overlayfs. */
const VOLATILE: Record<number, string> = {
  0x01021994: 'tmpfs, which is in memory and gone after a reboot',
  0x858458f6: 'ramfs, which is in memory and gone after a reboot',
  0x794c7630: 'the writable layer of a container, which goes with the container',
};

export const fileChecks: readonly DoctorCheck[] = [
  {
    id: 'files.home',
    title: 'The data directory can be written',
    group: 'Files',
    async run(context) {
      const { home } = context.place;
      const isThere = existsSync(home);
      const nearest = nearestFolder(home);
      try {
        if (!statSync(nearest).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
        accessSync(nearest, constants.W_OK | constants.X_OK);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw broken({
          what: `The data directory ${home} can not be ${isThere ? 'written' : 'made'} (${code}).`,
          why: 'Tasks, runs and the log are kept there.',
          command: `ls -ld ${nearest}`,
          evidence: { home, code },
        });
      }
      const uid = process.getuid?.();
      const owner = statSync(nearest).uid;
      if (isThere && uid !== undefined && uid !== owner && uid !== 0) {
        throw doubtful({
          what: `The data directory ${home} belongs to user ${owner}, and you are user ${uid}.`,
          why: 'What one of you writes the other may not be able to change.',
          command: `ls -ln ${home}`,
          evidence: { home, owner, uid },
        });
      }
      return { home, exists: isThere };
    },
  },
  {
    id: 'files.space',
    title: 'There is space on the disk',
    group: 'Files',
    async run({ place }) {
      const folder = nearestFolder(place.home);
      const { bavail, bsize, files, ffree } = statfsSync(folder);
      const free = bavail * bsize;
      const evidence = { folder, free_bytes: free, free_inodes: ffree };
      const finding = {
        what: `${formatBytes(free)} are free for ${place.home}.`,
        why: 'With a full disk nothing is claimed any more and requests are answered with 507.',
        command: 'pao db prune --runs 30d',
        evidence,
      };
      if (free < place.lowDisk.fail) throw broken(finding);
      if (free < place.lowDisk.warn) throw doubtful(finding);
      if (files > 0 && ffree < FEW_INODES) {
        throw doubtful({
          what: `Only ${ffree} more files fit on the disk of ${place.home}.`,
          why: 'The database can not make the files it needs beside itself.',
          command: `df -i ${folder}`,
          evidence,
        });
      }
      return evidence;
    },
  },
  {
    id: 'files.volatile',
    title: 'The data directory outlives a reboot',
    group: 'Files',
    async run(context) {
      const folder = nearestFolder(await databaseFolder(context));
      const type = statfsSync(folder).type >>> 0;
      const evidence = { folder, file_system: `0x${type.toString(16)}` };
      if (process.platform !== 'linux') return evidence;
      if (isNetworkFileSystem(type)) {
        throw broken({
          what: `${folder} is on a network file system.`,
          why: "SQLite's locks do not hold there: data is lost.",
          command: 'export PAO_HOME=~/.local/share/pao',
          evidence,
        });
      }
      const words = VOLATILE[type];
      if (words !== undefined) {
        throw doubtful({
          what: `${folder} is on ${words}.`,
          why: 'Everything pao knows goes with it.',
          command: 'export PAO_HOME=~/.local/share/pao',
          evidence,
        });
      }
      return evidence;
    },
  },
  {
    id: 'files.private',
    title: 'Tokens, secrets and data are for their owner alone',
    group: 'Files',
    async run(context) {
      const open = privateFiles(context).filter((path) => (statSync(path).mode & 0o077) !== 0);
      if (process.platform === 'win32' || open.length === 0) return { files: privateFiles(context).length };
      for (const path of open) {
        context.offer({
          check: 'files.private',
          what: `make ${path} private`,
          touchesDatabase: false,
          run: async () => chmodSync(path, statSync(path).isDirectory() ? 0o700 : 0o600),
        });
      }
      throw broken({
        what: `Others on this machine may read ${some(open)}.`,
        why: 'Whoever reads the token there may do everything; commands refuse to use it.',
        command: `chmod go= ${open.join(' ')}`,
        evidence: { open },
      });
    },
  },
  {
    id: 'files.left',
    title: 'Nothing unfinished lies about',
    group: 'Files',
    async run(context) {
      if (context.running() !== null) return { running: true };
      const left = leftFiles(context.place.home);
      if (left.length === 0) return { left };
      context.offer({
        check: 'files.left',
        what: `delete ${some(left)}`,
        touchesDatabase: false,
        run: async () => {
          for (const path of left) rmSync(path, { force: true });
        },
      });
      throw doubtful({
        what: `${some(left)} ${left.length === 1 ? 'is' : 'are'} left of something that was broken off.`,
        why: 'They only take space; what they belong to was begun anew or not at all.',
        command: 'pao doctor --fix --only files.left',
        evidence: { left },
      });
    },
  },
  {
    id: 'files.logs',
    title: 'The logs are of a reasonable size',
    group: 'Files',
    async run(context) {
      const folder = context.path('logs');
      const sizes = listFolder(folder).map((name) => statSync(join(folder, name)).size);
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      if (bytes > LOG_LIMIT) {
        throw doubtful({
          what: `${folder} holds ${formatBytes(bytes)} in ${sizes.length} files.`,
          why: 'pao keeps 60 MiB of its own logs; the rest was put there by something else.',
          command: `ls -lhS ${folder}`,
          evidence: { bytes, files: sizes.length },
        });
      }
      return { bytes, files: sizes.length };
    },
  },
];

/** The data directory, or the folder above it that is there. */
function nearestFolder(path: string): string {
  let folder = path;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

async function databaseFolder(context: DoctorContext): Promise<string> {
  const url = await context.databaseUrl().catch(() => null);
  const read = url === null ? null : readDatabaseUrl(url);
  return read?.engine === 'sqlite' && read.path !== ':memory:' ? dirname(read.path) : context.place.home;
}

function privateFiles(context: DoctorContext): string[] {
  const names = [
    'credentials.json',
    'secrets.json',
    'service.env',
    'secrets.enc.json',
    'secrets.key',
    'orchestrator.db',
    'logs',
    'run',
    'backups',
  ];
  const kept = listFolder(context.path('agents'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => join('agents', name));
  return [...names, 'agents', ...kept].map((name) => context.path(name)).filter((path) => existsSync(path));
}

function leftFiles(home: string): string[] {
  const names = listFolder(home).filter((name) =>
    /\.(partial|restoring|new)(-wal|-shm|-journal)?$/.test(name),
  );
  const backups = listFolder(join(home, 'backups')).filter((name) => name.endsWith('.partial'));
  return [
    ...names.map((name) => join(home, name)),
    ...backups.map((name) => join(home, 'backups', name)),
    ...['server.json', 'server.json.new'].map((name) => join(home, 'run', name)).filter(existsSync),
  ];
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
