import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  catalogFileSchema,
  llmInputSchema,
  toolAddressSchema,
  type ToolInput,
  toolSchema,
} from '../../src/domain/tool.js';
import { ToolError } from '../../src/domain/tool-error.js';

const http: ToolInput = {
  address: 'weather.forecast',
  kind: 'http',
  http: { url: 'https://api.open-meteo.com/v1/forecast' },
};

function problemsOf(tool: unknown): string[] {
  const parsed = toolSchema.safeParse(tool);
  return parsed.success ? [] : parsed.error.issues.map((issue) => `/${issue.path.join('/')}`);
}

describe('a tool', () => {
  it('gets defaults that fit its kind', () => {
    expect(toolSchema.parse(http)).toMatchObject({
      side_effect: 'read',
      input_schema: { type: 'object' },
      http: { method: 'GET' },
    });
    expect(toolSchema.parse({ ...http, http: { ...http.http, method: 'POST' } }).side_effect).toBe('once');
    const llm = {
      address: 'llm.chat',
      kind: 'llm',
      llm: { provider: 'openai', base_url: 'http://127.0.0.1:11434/v1', model: 'm' },
    };
    expect(toolSchema.parse(llm)).toMatchObject({ side_effect: 'read', input_schema: llmInputSchema });
    expect(toolSchema.parse({ ...http, side_effect: 'once' }).side_effect).toBe('once');
  });

  it.each(['weather.forecast', 'a.b.C-d_1', 'mail-2.top_unread'])('may be called %s', (address) => {
    expect(toolAddressSchema.safeParse(address).success).toBe(true);
  });

  it.each([
    'weather',
    'Weather.x',
    '.x',
    'x.',
    'x..y',
    'x.1',
    'x y.z',
    '__proto__',
    `a.${'b'.repeat(130)}`,
    'a.b\n',
  ])('may not be called %j', (address) => {
    expect(toolAddressSchema.safeParse(address).success).toBe(false);
  });

  it.each([
    ['no block of its kind', { address: 'a.b', kind: 'http' }, '/http'],
    [
      'a block of another kind',
      { ...http, llm: { provider: 'openai', base_url: 'http://x', model: 'm' } },
      '/llm',
    ],
    ['an unknown field', { ...http, retries: 3 }, '/'],
    ['a templated host', { ...http, http: { url: 'https://${input.host}/x' } }, '/http/url'],
    [
      'a host that begins with a template',
      { ...http, http: { url: 'https://api.${input.x}.com/' } },
      '/http/url',
    ],
    ['a password in the URL', { ...http, http: { url: 'https://user:pw@example.com/' } }, '/http/url'],
    ['another scheme', { ...http, http: { url: 'file:///etc/passwd' } }, '/http/url'],
    [
      'a header that frames the message',
      { ...http, http: { ...http.http, headers: { 'Content-Length': '1' } } },
      '/http/headers/Content-Length',
    ],
    [
      'a line break in a header',
      { ...http, http: { ...http.http, headers: { 'X-A': 'a\r\nb' } } },
      '/http/headers/X-A',
    ],
    ['a grant without a port', { ...http, grants: ['127.0.0.1'] }, '/grants/0'],
    ['a grant for a range', { ...http, grants: ['10.0.0.0/8:80'] }, '/grants/0'],
    ['a grant for no port', { ...http, grants: ['127.0.0.1:99999'] }, '/grants/0'],
    ['a timeout that is none', { ...http, timeout: 'soon' }, '/timeout'],
    [
      'a plain key of a model',
      {
        address: 'a.b',
        kind: 'llm',
        llm: { provider: 'openai', base_url: 'http://x', model: 'm', api_key: 'sk-123' },
      },
      '/llm/api_key',
    ],
    [
      'a server without its command',
      { address: 'a.b', kind: 'mcp', mcp: { tool: 'x', server: { name: 's', transport: 'stdio' } } },
      '/mcp/server/command',
    ],
  ])('with %s is refused', (_what, tool, pointer) => {
    expect(problemsOf(tool)).toContain(pointer);
  });

  it('takes grants for names and for both kinds of addresses', () => {
    const grants = ['127.0.0.1:4101', '[::1]:80', 'nas.home:8080', 'localhost:1'];
    expect(problemsOf({ ...http, grants })).toEqual([]);
  });

  it('and a catalog can be written down as JSON Schema', () => {
    const schema = z.toJSONSchema(catalogFileSchema, { io: 'input' });
    expect(Object.keys(schema.properties ?? {})).toEqual(['tools', 'servers', 'openapi']);
  });
});

describe('a tool error', () => {
  it('knows what is usually worth a retry, and can be told otherwise', () => {
    expect(new ToolError('timeout', 'x')).toMatchObject({ retryable: true, outcomeKnown: true });
    expect(new ToolError('auth', 'x').retryable).toBe(false);
    expect(new ToolError('auth', 'x', { retryable: true }).retryable).toBe(true);
  });

  it('keeps its message short', () => {
    expect(new ToolError('tool_error', 'x'.repeat(5000)).message.length).toBeLessThanOrEqual(1000);
  });
});
