import { isOnThisMachine } from '../../../domain/approval-link.js';
import type { ChannelMessage } from '../../../domain/channel.js';
import { parseAnswer } from '../answer.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from '../connector.js';
import { sendHttp } from '../http-request.js';
import { statusError } from '../http-status.js';
import { readUrl } from './target.js';

/** Publishes a text as https://docs.ntfy.sh/publish/ says: the text is the body, the rest are headers. */
export async function sendNtfy(
  services: ConnectorServices,
  { deadline, context }: Pick<ConnectorCall, 'deadline' | 'context'>,
  settings: { url: string; token?: string | undefined },
  { text, title, urgent, link, tags = [] }: ChannelMessage,
  grants: readonly string[],
): Promise<ConnectorAnswer> {
  const url = readUrl(settings.url);
  const { link: asked } = context.question ?? {};
  // A telephone does not get to this machine.
  const page = asked === undefined || isOnThisMachine(asked) ? undefined : asked;
  const click = link ?? page;
  const headers: Record<string, string> = {
    'content-type': 'text/plain; charset=utf-8',
    'user-agent': services.userAgent,
    ...(settings.token === undefined ? {} : { authorization: `Bearer ${settings.token}` }),
    ...(title === undefined ? {} : { title: encoded(title) }),
    ...(urgent === true ? { priority: 'urgent' } : {}),
    ...(click === undefined ? {} : { click }),
    // https://docs.ntfy.sh/publish/#action-buttons
    ...(page === undefined ? {} : { actions: `view, Open, "${page.replaceAll('"', '%22')}"` }),
    ...(tags.length === 0 ? {} : { tags: tags.join(',') }),
  };
  const response = await sendHttp(
    services.guard,
    { method: 'POST', url, headers, body: text, grants },
    deadline,
  );
  const answer = parseAnswer(response, 'auto', { lenient: true });
  if (response.status < 200 || response.status > 299)
    throw statusError(url.host, response, answer, services.clock.now());
  const { id } = (answer ?? {}) as { id?: unknown };
  return { output: typeof id === 'string' ? { id } : {}, status: response.status };
}

/** A header has room for ASCII; the rest goes as an encoded word (RFC 2047), which ntfy takes back. */
const encoded = (text: string): string =>
  /^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text, 'utf8').toString('base64')}?=`;
