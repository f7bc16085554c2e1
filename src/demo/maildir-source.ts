import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { summarizeMail } from './mail-message.js';
import type { MailSource } from './mail-source.js';

/** The information part of a file name, `:2,S`; `;` and `!` stand for `:` on file systems that refuse it. */
const SEEN = /[:;!]2,[A-Z]*S[A-Z]*$/;

/**
 * Reads a local Maildir (https://cr.yp.to/proto/maildir.html): what lies in `new/`, and what lies in `cur/` without the
 * flag S, is unread. Nothing is changed.
 */
export function createMaildirSource(directory: string): MailSource {
  return {
    async topUnread(count) {
      const paths = [
        ...(await list(join(directory, 'new'))),
        ...(await list(join(directory, 'cur'))).filter((path) => !SEEN.test(path)),
      ];
      const unread = await Promise.all(
        paths.map(async (path) => summarizeMail(await readFile(path), (await stat(path)).mtimeMs)),
      );
      unread.sort((a, b) => Date.parse(b.date) - Date.parse(a.date));
      return { emails: unread.slice(0, count), totalUnread: unread.length };
    },
  };
}

async function list(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => !name.startsWith('.')).map((name) => join(directory, name));
}
