import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Hook } from '../../domain/hook.js';

/** How far the clock of a sender may be from ours, milliseconds (Standard Webhooks: five minutes). */
const TOLERANCE_MS = 5 * 60_000;

/** What a delivery says of itself, or why it is refused. */
export type Verdict =
  | {
      ok: true;
      deliveryId: string;
      event: string | null;
      /** SHA-256 of the body, hex, where the signature is made of it alone: the same also when the secret is another one. */
      bodyHash: string | null;
    }
  | { ok: false; reason: 'unsigned' | 'malformed' | 'too_old' | 'too_new' | 'wrong_signature' };

/**
 * Checks the signature of a delivery over its body as it came, byte by byte, in constant time.
 * `standard`: Standard Webhooks 1.0, HMAC-SHA256 over `id.timestamp.body`. `github`: `X-Hub-Signature-256` over the body
 * alone; so the id of the delivery, and that it is not an old one, is the sender's word, and the body is what it is known by.
 */
export function checkSignature(hook: Hook, headers: IncomingHttpHeaders, body: Buffer, now: number): Verdict {
  const secrets = [hook.secret];
  if (hook.oldSecret !== null && hook.oldSecretUntil !== null && now < hook.oldSecretUntil)
    secrets.push(hook.oldSecret);
  return hook.scheme === 'standard'
    ? checkStandard(secrets, headers, body, now)
    : checkGithub(secrets, headers, body);
}

function checkStandard(secrets: string[], headers: IncomingHttpHeaders, body: Buffer, now: number): Verdict {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    text(headers, name),
  );
  if (id === null || timestamp === null || signatures === null) return { ok: false, reason: 'unsigned' };
  if (id === undefined || !/^\d{1,12}$/.test(timestamp ?? '')) return { ok: false, reason: 'malformed' };
  const age = now - Number(timestamp) * 1000;
  if (age > TOLERANCE_MS) return { ok: false, reason: 'too_old' };
  if (age < -TOLERANCE_MS) return { ok: false, reason: 'too_new' };
  const given = (signatures ?? '')
    .split(' ')
    .flatMap((one) => (one.startsWith('v1,') ? [Buffer.from(one.slice(3), 'base64')] : []));
  const isRight = secrets.some((secret) => {
    const mac = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(body).digest();
    return given.some((one) => isSame(one, mac));
  });
  return isRight
    ? { ok: true, deliveryId: id, event: null, bodyHash: null }
    : { ok: false, reason: 'wrong_signature' };
}

function checkGithub(secrets: string[], headers: IncomingHttpHeaders, body: Buffer): Verdict {
  const signature = text(headers, 'x-hub-signature-256');
  if (signature === null) return { ok: false, reason: 'unsigned' };
  const [, hex] = /^sha256=([0-9a-f]{64})$/i.exec(signature) ?? [];
  if (hex === undefined) return { ok: false, reason: 'malformed' };
  const given = Buffer.from(hex, 'hex');
  const isRight = secrets.some((secret) =>
    isSame(given, createHmac('sha256', keyOf(secret)).update(body).digest()),
  );
  if (!isRight) return { ok: false, reason: 'wrong_signature' };
  // A sender of this style that names no delivery is known by what it sent.
  const deliveryId = text(headers, 'x-github-delivery') ?? hex.toLowerCase();
  const bodyHash = createHash('sha256').update(body).digest('hex');
  return { ok: true, deliveryId, event: text(headers, 'x-github-event'), bodyHash };
}

/** `whsec_` and base64, or any text, whose UTF-8 bytes are then the key. */
const keyOf = (secret: string): Buffer =>
  secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret, 'utf8');

const isSame = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

function text(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' && value !== '' && value.length <= 4000 ? value : null;
}
