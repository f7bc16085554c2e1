import { createHash } from 'node:crypto';
import type { ChannelMessage } from '../../../domain/channel.js';
import { ToolError } from '../../../domain/tool-error.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from '../connector.js';
import { isCertificateError } from '../http-request.js';
import { mailServer } from './target.js';

/** Subjects are one line; the first of the text when there is no title. */
const MAX_SUBJECT = 150;

export interface EmailSettings {
  server: string;
  user?: string | undefined;
  password?: string | undefined;
  from: string;
  to: string | string[];
  tls: boolean;
}

/**
 * Sends a text by SMTP. The Message-ID follows from the idempotency key: a repeat is the same letter.
 * @throws ToolError; `outcomeKnown` is false when the letter was handed over and its receipt was lost.
 */
export async function sendEmail(
  services: ConnectorServices,
  { context, deadline }: Pick<ConnectorCall, 'context' | 'deadline'>,
  settings: EmailSettings,
  { text, title, urgent, link }: ChannelMessage,
  grants: readonly string[],
): Promise<ConnectorAnswer> {
  const { host, port, secure } = mailServer(settings.server);
  const connection = await services.guard.connect({ host, port }, grants, deadline.signal);
  const { createTransport } = await import('nodemailer');
  let handedOver = false;
  const transport = createTransport({
    // From the command DATA on a server that answers no more may have taken the letter.
    ...commandLog((command) => {
      if (command === 'DATA') handedOver = true;
    }),
    host,
    port,
    secure,
    connection,
    // Never without encryption in silence.
    requireTLS: !secure && settings.tls,
    ignoreTLS: !settings.tls,
    ...(settings.user === undefined ? {} : { auth: { user: settings.user, pass: settings.password ?? '' } }),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // The connection is all that the transport has: without it the call is over.
  const cut = () => connection.destroy(deadline.error(true));
  deadline.signal.addEventListener('abort', cut, { once: true });
  try {
    const key = context.idempotencyKey ?? crypto.randomUUID();
    const id = createHash('sha256').update(key).digest('hex').slice(0, 40);
    const result = await transport.sendMail({
      from: settings.from,
      to: settings.to,
      subject: title ?? subjectOf(text),
      text: link === undefined ? text : `${text}\n\n${link}`,
      messageId: `<${id}@pao.local>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
      ...(urgent === true ? { priority: 'high' as const } : {}),
    });
    return { output: { message_id: result.messageId, accepted: result.accepted, response: result.response } };
  } catch (error) {
    if (deadline.signal.aborted) throw deadline.error(handedOver);
    throw emailError(error, host, handedOver);
  } finally {
    deadline.signal.removeEventListener('abort', cut);
    transport.close();
    connection.destroy();
  }
}

interface SmtpError extends Error {
  code?: string;
  /** What the socket said, where it was the socket. */
  originalCode?: string;
  /** OpenSSL's own words, without where in its source. */
  reason?: string;
  responseCode?: number;
}

/** Settings that tell of each command that is sent; what identifies us is masked in it, and nothing is kept. */
function commandLog(onCommand: (command: string) => void) {
  const ignore = () => {};
  const debug = (entry: { tnx?: string }, text: unknown) => {
    if (entry.tnx === 'client') onCommand(String(text).trim());
  };
  const logger = {
    level: ignore,
    trace: ignore,
    debug,
    info: ignore,
    warn: ignore,
    error: ignore,
    fatal: ignore,
  };
  return { logger, transactionLog: true };
}

/** RFC 5321 4.2.1: 4yz may be tried again, 5yz not. */
function emailError(error: unknown, host: string, handedOver: boolean): ToolError {
  const { message, code, originalCode = '', reason, responseCode } = error as SmtpError;
  const text = `${host}: ${message}`;
  // OpenSSL says shortly what went wrong; of a certificate the whole sentence is wanted.
  const said = originalCode.startsWith('ERR_SSL_') ? (reason ?? message) : message;
  const tls = tlsFault(said, code, originalCode);
  // Nothing was said in clear text; a certificate or a setting is to be put right first.
  if (tls !== null) return new ToolError('transport', `${host}: ${tls}`, { retryable: false, cause: error });
  if (code === 'EAUTH' || responseCode === 535) return new ToolError('auth', text, { cause: error });
  if (responseCode !== undefined) {
    const details = { smtp: responseCode };
    if (responseCode === 421 || responseCode === 450 || responseCode === 451 || responseCode === 452)
      return new ToolError('overloaded', text, { details, cause: error });
    return new ToolError('tool_error', text, { details, retryable: responseCode < 500, cause: error });
  }
  return new ToolError('transport', text, { outcomeKnown: !handedOver, cause: error });
}

/** What is wrong with the encryption, and what to do; null when it is something else. */
function tlsFault(message: string, code: string | undefined, originalCode: string): string | null {
  if (originalCode.startsWith('ERR_SSL_'))
    return `no encryption could be agreed on: ${message}. smtps:// is for port 465, smtp:// (STARTTLS) for 587.`;
  if (isCertificateError(originalCode))
    return `the certificate is not accepted: ${message}. Where a private authority signed it, start pao with NODE_EXTRA_CA_CERTS=FILE.pem.`;
  if (code === 'ETLS')
    return `the server offers no encryption (STARTTLS): ${message}. tls: false in the channel sends without.`;
  return null;
}

function subjectOf(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return line.length > MAX_SUBJECT ? `${line.slice(0, MAX_SUBJECT - 1)}…` : line;
}
