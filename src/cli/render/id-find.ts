import type { ListPage } from '../../client/api-objects.js';
import { pages } from '../../client/pao-client.js';
import { invalidInput, notFound } from '../../domain/errors.js';

/** So far back the beginning of an id is looked for. */
const MOST = 1000;
/** A shorter beginning fits too much: an id begins with the time. */
const SHORTEST = 8;

/** What has ids that a person types. */
export interface IdKind<Item extends { id: string }> {
  /** `run` for `run_…`. */
  prefix: string;
  /** In messages: `run`, `message`. */
  word: string;
  /** The command that lists them. */
  listedBy: string;
  /** Newest first. */
  list: (page: { limit: number; cursor: string | undefined }) => Promise<ListPage<Item>>;
}

/**
 * The id that a person means: whole, `latest`, or the beginning of one.
 * @throws PaoError exit 5 when there is none such, exit 2 when several begin so, or for what is none of these.
 */
export async function findId<Item extends { id: string }>(text: string, kind: IdKind<Item>): Promise<string> {
  const { prefix, word, listedBy, list } = kind;
  if (new RegExp(`^${prefix}_[0-9a-f]{32}$`).test(text)) return text;
  if (text === 'latest') {
    const { items } = await list({ limit: 1, cursor: undefined });
    if (items[0] !== undefined) return items[0].id;
    throw notFound(word, text, [listedBy]);
  }
  if (!new RegExp(`^${prefix}_[0-9a-f]*$`).test(text)) {
    throw invalidInput(
      `"${text.slice(0, 60)}" is no ${word}: an id like ${prefix}_…, its beginning, or latest is expected.`,
      [],
      [listedBy],
    );
  }
  if (text.length < prefix.length + 1 + SHORTEST)
    throw invalidInput(
      `The beginning of an id takes ${SHORTEST} characters after ${prefix}_.`,
      [],
      [listedBy],
    );
  const found: string[] = [];
  let seen = 0;
  for await (const { id } of pages((cursor) => list({ limit: 100, cursor }))) {
    if (id.startsWith(text)) found.push(id);
    if (++seen >= MOST || found.length > 5) break;
  }
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  if (first === undefined) throw notFound(word, text, [listedBy]);
  throw invalidInput(`Several begin with ${text}: ${found.join(', ')}`, [], [listedBy]);
}
