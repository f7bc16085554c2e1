/** What the mail server tells of one message. */
export interface MailSummary {
  from: string;
  subject: string;
  /** RFC 3339 UTC; the moment of arrival when the message has no readable Date. */
  date: string;
  /** The first words of the text, white space folded. */
  snippet: string;
}

const SNIPPET_LENGTH = 200;
/** A MIME tree deeper than this is an attack, not a letter. */
const MAX_DEPTH = 8;

interface MimePart {
  headers: Map<string, string>;
  body: Buffer;
}

/**
 * Reads sender, subject, date and the beginning of the text of a raw message (RFC 5322, MIME: multipart, base64,
 * quoted-printable, encoded words in headers).
 * @param raw the message as it is stored or fetched.
 * @param arrivedAt epoch milliseconds, used when the message has no readable Date.
 */
export function summarizeMail(raw: Buffer, arrivedAt: number): MailSummary {
  const part = splitPart(raw);
  const sentAt = Date.parse((part.headers.get('date') ?? '').replace(/\s*\([^)]*\)\s*$/, ''));
  return {
    from: decodeWords(part.headers.get('from') ?? ''),
    subject: decodeWords(part.headers.get('subject') ?? ''),
    date: new Date(Number.isNaN(sentAt) ? arrivedAt : sentAt).toISOString().replace('.000Z', 'Z'),
    snippet: findText(part, 0).replace(/\s+/g, ' ').trim().slice(0, SNIPPET_LENGTH),
  };
}

function splitPart(raw: Buffer): MimePart {
  // latin1 keeps every byte, so that the body can be cut out at the same offset.
  const text = raw.toString('latin1');
  const end = /\r?\n\r?\n/.exec(text);
  const head = end ? text.slice(0, end.index) : text;
  const headers = new Map<string, string>();
  for (const line of Buffer.from(head, 'latin1')
    .toString('utf8')
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return { headers, body: end ? raw.subarray(end.index + end[0].length) : Buffer.alloc(0) };
}

/** The first text/plain part; else the first text/html without its tags. */
function findText(part: MimePart, depth: number): string {
  const type = (part.headers.get('content-type') ?? 'text/plain').toLowerCase();
  if (type.startsWith('multipart/')) {
    const boundary = /boundary="?([^";]+)"?/i.exec(part.headers.get('content-type') ?? '')?.[1];
    if (!boundary || depth >= MAX_DEPTH) return '';
    const parts = splitMultipart(part.body, boundary);
    const plain = parts.find((one) =>
      (one.headers.get('content-type') ?? 'text/plain').toLowerCase().startsWith('text/plain'),
    );
    if (plain) return findText(plain, depth + 1);
    return parts.map((one) => findText(one, depth + 1)).find((text) => text !== '') ?? '';
  }
  if (!type.startsWith('text/')) return '';
  const text = decodeCharset(decodeTransfer(part), /charset="?([^";\s]+)"?/.exec(type)?.[1]);
  return type.startsWith('text/html')
    ? text.replace(/<(style|script)[\s\S]*?<\/\1>/gi, '').replace(/<[^>]*>/g, ' ')
    : text;
}

function splitMultipart(body: Buffer, boundary: string): MimePart[] {
  return body
    .toString('latin1')
    .split(`--${boundary}`)
    .slice(1)
    .filter((piece) => !piece.startsWith('--'))
    .map((piece) => splitPart(Buffer.from(piece.replace(/^[ \t]*\r?\n/, ''), 'latin1')));
}

function decodeTransfer({ headers, body }: MimePart): Buffer {
  switch (headers.get('content-transfer-encoding')?.toLowerCase()) {
    case 'base64':
      return Buffer.from(body.toString('latin1'), 'base64');
    case 'quoted-printable':
      return decodeQuoted(body.toString('latin1').replace(/=[ \t]*\r?\n/g, ''));
    default:
      return body;
  }
}

const decodeQuoted = (text: string): Buffer =>
  Buffer.from(
    text.replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

function decodeCharset(bytes: Buffer, charset = 'utf-8'): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

/** Decodes `=?charset?B|Q?…?=` (RFC 2047); white space between two of them does not count. */
function decodeWords(text: string): string {
  return text
    .replace(/(\?=)\s+(=\?)/g, '$1$2')
    .replace(/=\?([^?\s]+)\?([BQ])\?([^?]*)\?=/gi, (_, charset: string, encoding: string, value: string) =>
      decodeCharset(
        encoding.toUpperCase() === 'B'
          ? Buffer.from(value, 'base64')
          : decodeQuoted(value.replaceAll('_', ' ')),
        charset.replace(/\*.*$/, ''),
      ),
    );
}
