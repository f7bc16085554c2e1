import type { Operation } from './operation.js';
import { otherPaths } from './other-paths.js';

/** A page that lists every operation and every other path; it needs no other file and no network. */
export function docsPage(operations: readonly Operation[], version: string): string {
  const others = otherPaths.map((one) => ({ ...one, scope: one.scope ?? 'no token' }));
  const rows = [...operations, ...others]
    .map(
      (one) =>
        `<tr><td><code>${one.method}</code></td><td><code>${escapeHtml(one.path)}</code></td><td>${escapeHtml(one.summary)}</td><td><code>${escapeHtml(one.scope ?? 'any token')}</code></td></tr>`,
    )
    .join('\n');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>pao API</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}code{font-size:.9em}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181c}td,th{border-color:#333}a{color:#8ab4f8}}</style></head>
<body><h1>pao API <small>${escapeHtml(version)}</small></h1>
<p>Send <code>Authorization: Bearer pao_…</code>. Errors are <code>application/problem+json</code>. The whole contract: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). Health: <a href="/health">/health</a>.</p>
<table><thead><tr><th>Method</th><th>Path</th><th>What</th><th>Scope</th></tr></thead><tbody>
${rows}
</tbody></table></body></html>`;
}

const escapeHtml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
