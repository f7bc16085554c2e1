import { createHash } from 'node:crypto';

const TEXT_FIELDS = ['text', 'message', 'body', 'content'] as const;
const TITLE_FIELDS = ['title', 'subject'] as const;
const BETWEEN = '\n\n';

type Fields = Record<string, unknown>;

/**
 * What messages must have in common to be sent as one: channel, and all of their input but its text and title.
 * @param owner whose messages these are; other people's are never in one message with them.
 * @returns null when there is no text that could be joined.
 */
export function digestKeyOf(owner: string, channel: string, input: unknown): string | null {
  const shape = shapeOf(input);
  if (shape === null) return null;
  const { text, title } = shape;
  const rest = Object.fromEntries(
    Object.entries(input as Fields)
      .filter(([key]) => key !== text && key !== title && key !== 'urgent' && key !== 'data')
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  // A webhook says what kind of thing it tells of; a digest is of another kind.
  if (text === 'payload') delete rest['type'];
  return createHash('sha256')
    .update(JSON.stringify([owner, channel, rest]))
    .digest('hex');
}

/** Joins the inputs of messages with the same {@link digestKeyOf}, oldest first, into one. */
export function mergeInputs(inputs: readonly unknown[]): unknown {
  const [first] = inputs;
  const shape = shapeOf(first);
  if (inputs.length < 2 || shape === null) return first;
  const all = inputs as Fields[];
  const count = `${inputs.length} messages`;
  if (shape.text === 'payload') {
    const items = all.map(({ payload }) => payload);
    const text = all.map(({ payload }) => headed(payload as Fields)).join(BETWEEN);
    return { ...all[0], type: 'pao.digest', payload: { kind: 'digest', title: count, text, items } };
  }
  const text = all
    .map((one) => {
      const own = shapeOf(one);
      const title = own === null || own.title === null ? null : one[own.title];
      return [title, one[shape.text]].filter((part) => typeof part === 'string' && part !== '').join('\n');
    })
    .join(BETWEEN);
  const items = all.flatMap(({ data }) => (data === undefined ? [] : [data]));
  const data = items.length === 0 ? {} : { data: { items } };
  const titleField = all.map((one) => shapeOf(one)?.title ?? null).find((field) => field !== null);
  if (titleField === undefined || titleField === null)
    return { ...all[0], ...data, [shape.text]: `${count}${BETWEEN}${text}` };
  return { ...all[0], ...data, [titleField]: count, [shape.text]: text };
}

/** Which fields hold the text and the title. */
function shapeOf(input: unknown): { text: string; title: string | null } | null {
  if (input === null || typeof input !== 'object' || Array.isArray(input)) return null;
  const fields = input as Fields;
  const text = TEXT_FIELDS.find((name) => typeof fields[name] === 'string');
  const title = TITLE_FIELDS.find((name) => typeof fields[name] === 'string') ?? null;
  if (text !== undefined) return { text, title };
  const payload = fields['payload'];
  return payload !== null && typeof payload === 'object' && !Array.isArray(payload)
    ? { text: 'payload', title: null }
    : null;
}

const headed = ({ title, text }: Fields): string =>
  [title, text].filter((part) => typeof part === 'string').join('\n');
