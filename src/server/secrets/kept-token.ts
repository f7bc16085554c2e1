import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { EXIT, PaoError } from '../../domain/errors.js';
import { alone } from './alone.js';
import { readPrivate, writePrivate } from './private-file.js';

const keptSchema = z.object({ agent: z.string(), agent_id: z.string(), token: z.string() });
/** The token that `pao mcp --agent` speaks with. */
export type KeptToken = z.infer<typeof keptSchema>;

/** What such a token is called in the list of an agent's tokens. */
export const KEPT_TOKEN_LABEL = 'pao mcp';
/** Programs that start at once make one agent: they wait for the first, which asks a server that may be busy. */
const LOCK_WAIT_MS = 60_000;

/** Where it lies, readable by its owner alone, beside `credentials.json`. */
export const keptTokenFile = (home: string, agent: string): string => join(home, 'agents', `${agent}.json`);

/**
 * @returns null when there is none; what can not be read as one is none, and is made anew.
 * @throws PaoError PAO_SECRET_FILE_OPEN when others may read it.
 */
export async function readKeptToken(home: string, agent: string): Promise<KeptToken | null> {
  const file = await readPrivate(keptTokenFile(home, agent));
  if (file === null) return null;
  try {
    const kept = keptSchema.parse(JSON.parse(file.text));
    return kept.agent === agent ? kept : null;
  } catch {
    return null;
  }
}

/**
 * Puts another token in the place of one that is refused, unless another process did already.
 * @param refused null when there is none yet.
 * @param make makes it, knowing what was there.
 */
export async function renewKeptToken(
  home: string,
  agent: string,
  refused: string | null,
  make: (before: KeptToken | null) => Promise<KeptToken>,
): Promise<KeptToken> {
  const file = keptTokenFile(home, agent);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const busy = () =>
    new PaoError('PAO_AGENT_BUSY', `Another program is making the agent ${agent}.`, {
      exitCode: EXIT.unavailable,
      hints: ['Try again in a moment'],
    });
  return alone(join(dirname(file), '.lock'), { waitMs: LOCK_WAIT_MS, busy }, async () => {
    const before = await readKeptToken(home, agent);
    if (before !== null && before.token !== refused) return before;
    const made = await make(before);
    await writePrivate(file, `${JSON.stringify(made, null, 2)}\n`);
    return made;
  });
}
