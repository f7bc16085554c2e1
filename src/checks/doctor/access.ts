import { formatDuration } from '../../domain/duration.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { readCredentials } from '../../cli/home.js';
import { hashToken } from '../../server/api/tokens.js';
import { KEPT_TOKEN_LABEL } from '../../server/secrets/kept-token.js';
import { CheckSkipped } from '../check.js';
import { broken, type DoctorCheck, doubtful } from './finding.js';

const DAY_MS = 86_400_000;
const UNUSED_MS = 90 * DAY_MS;
const ENDS_SOON_MS = 7 * DAY_MS;
/** The operator's own token lies beside the database itself and does not end. */
const OWN_LABEL = 'credentials.json';

export const accessChecks: readonly DoctorCheck[] = [
  {
    id: 'access.credentials',
    title: 'The token of the data directory is one the database knows',
    group: 'Access',
    needs: ['database.schema'],
    async run(context) {
      const credentials = read(context.place.home);
      const store = await context.store();
      const found = await store.findToken(hashToken(credentials.token));
      const now = context.place.now();
      const why =
        found === null
          ? 'is not known to the database: it is of another data directory, or of before a restore'
          : found.token.revokedAt !== null
            ? 'was revoked'
            : found.token.expiresAt !== null && found.token.expiresAt <= now
              ? 'has ended'
              : null;
      if (why === null) return { url: credentials.url, agent: found?.agent.name };
      const file = context.path('credentials.json');
      throw broken({
        what: `The token in ${file} ${why}.`,
        why: 'Commands are refused with it; the next start makes a new one when the file is not there.',
        command: `mv ${file} ${file}.old && pao stop && pao start local --detach`,
        evidence: { url: credentials.url },
      });
    },
  },
  {
    id: 'access.tokens',
    title: 'Tokens end some day, and are used',
    group: 'Access',
    needs: ['database.schema'],
    async run(context) {
      const now = context.place.now();
      const lines: string[] = [];
      let [count, name] = [0, ''];
      for (const { agent, tokens } of await context.agents()) {
        for (const token of tokens) {
          const isOver = token.revokedAt !== null || (token.expiresAt !== null && token.expiresAt <= now);
          if (isOver || token.label === OWN_LABEL) continue;
          count++;
          const what = whatIsWrong(token, now);
          if (what === null) continue;
          lines.push(`${token.prefix}… of ${agent.name} ${what}.`);
          name ||= agent.name;
        }
      }
      if (lines.length === 0) return { tokens: count };
      throw doubtful({
        what: lines.slice(0, 5).join('\n') + (lines.length > 5 ? `\nand ${lines.length - 5} more` : ''),
        why: 'A token that leaked is good for as long as it lives, and nobody misses one that is not used.',
        command: `pao agent rotate ${name}`,
        evidence: { tokens: lines.slice(0, 50) },
      });
    },
  },
];

function whatIsWrong(
  token: { label: string | null; createdAt: number; expiresAt: number | null; lastUsedAt: number | null },
  now: number,
): string | null {
  if (token.expiresAt === null) return 'never ends';
  // Made to be short, such as those of the dashboard: it ends as it was meant to.
  if (token.expiresAt - token.createdAt <= ENDS_SOON_MS) return null;
  // Another one takes its place by itself.
  const isKept = token.label === KEPT_TOKEN_LABEL;
  if (!isKept && token.expiresAt - now < ENDS_SOON_MS)
    return `ends in ${formatDuration(token.expiresAt - now)}`;
  const idle = now - (token.lastUsedAt ?? token.createdAt);
  if (idle > UNUSED_MS) return `has not been used for ${formatDuration(idle)}`;
  return null;
}

function read(home: string): { url: string; token: string } {
  try {
    const credentials = readCredentials(home);
    if (credentials !== null) return credentials;
  } catch (error) {
    if (error instanceof PaoError && error.exitCode === EXIT.forbidden)
      throw new CheckSkipped('Others may read it; see files.private.', 'pao doctor --only files.private');
    throw error;
  }
  throw new CheckSkipped('There is no credentials.json yet.', 'pao start local');
}
