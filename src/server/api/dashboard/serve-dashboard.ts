import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/**
 * Only what came with the page runs, it talks to this server alone, and nobody frames it. Text of tools and people is shown
 * as text: trusted types refuse to make HTML of a string.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const FILES = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/dashboard.js', file: 'dashboard.js', type: 'text/javascript; charset=utf-8' },
  { path: '/dashboard.css', file: 'dashboard.css', type: 'text/css; charset=utf-8' },
  { path: '/dashboard.svg', file: 'dashboard.svg', type: 'image/svg+xml' },
] as const;

/** The dashboard: static, the same for everybody, without a cookie; what it shows it asks `/v1` for, with a token. */
export function serveDashboard(app: FastifyInstance): void {
  for (const { path, file, type } of FILES) {
    let loaded: Promise<{ text: string; etag: string }> | undefined;
    app.get(path, async (request, reply) => {
      // Nobody who never opens it pays for it.
      loaded ??= import('pao:dashboard').then(({ files }) => ({
        text: files[file],
        etag: etagOf(files[file]),
      }));
      const { text, etag } = await loaded;
      void reply.headers({
        'cache-control': 'no-cache',
        'content-security-policy': PAGE_POLICY,
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'x-frame-options': 'DENY',
        etag,
      });
      if (request.headers['if-none-match'] === etag) return reply.status(304).send();
      return reply.type(type).send(text);
    });
  }
}

const etagOf = (text: string) => `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
