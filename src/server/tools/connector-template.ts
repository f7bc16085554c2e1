import { ToolError } from '../../domain/tool-error.js';

/**
 * The templates of a connector block: `${input.path}`, `${secrets.NAME}` and `${call.field}`, where a path is
 * `name(.name|[n]|["name"])*` and a `?` behind it makes it optional. They are one pass over own properties and no language:
 * an answer or an input that looks like a template stays text (security.md C2.9). `$${` writes a plain `${`.
 */
export interface TextTemplate {
  readonly source: string;
  readonly parts: readonly (string | Reference)[];
}

interface Reference {
  scope: 'input' | 'secrets' | 'call';
  path: readonly (string | number)[];
  optional: boolean;
  /** As written, for messages. */
  text: string;
}

/** What templates are filled in from. */
export interface TemplateScope {
  input: unknown;
  secrets: ReadonlyMap<string, string>;
  call: Readonly<Record<string, unknown>>;
}

const REFERENCE =
  /^\s*(input|secrets|call)((?:\.[A-Za-z_$][\w$-]*|\[\d{1,9}\]|\["[^"\\]{1,200}"\])*)\s*(\?)?\s*$/;
const SEGMENT = /\.([A-Za-z_$][\w$-]*)|\[(\d{1,9})\]|\["([^"\\]{1,200})"\]/g;

/**
 * Reads a template.
 * @throws ToolError `config_error` when a `${…}` is not closed or is none of the forms above.
 */
export function parseTemplate(source: string): TextTemplate {
  const parts: (string | Reference)[] = [];
  let at = 0;
  let text = '';
  while (at < source.length) {
    const dollar = source.indexOf('$', at);
    if (dollar === -1) break;
    text += source.slice(at, dollar);
    if (source.startsWith('$${', dollar)) {
      text += '${';
      at = dollar + 3;
    } else if (source.startsWith('${', dollar)) {
      const end = source.indexOf('}', dollar);
      if (end === -1) throw new ToolError('config_error', `A \${ is not closed in "${shorten(source)}".`);
      if (text !== '') parts.push(text);
      text = '';
      parts.push(parseReference(source.slice(dollar + 2, end)));
      at = end + 1;
    } else {
      text += '$';
      at = dollar + 1;
    }
  }
  text += source.slice(at);
  if (text !== '') parts.push(text);
  return { source, parts };
}

function parseReference(text: string): Reference {
  const match = REFERENCE.exec(text);
  if (!match) {
    throw new ToolError(
      'config_error',
      `\${${shorten(text)}} is not a reference; write \${input.name}, \${input.name?} or \${secrets.NAME}.`,
    );
  }
  const scope = match[1] as Reference['scope'];
  const path: (string | number)[] = [];
  for (const segment of (match[2] ?? '').matchAll(SEGMENT)) {
    path.push(segment[2] !== undefined ? Number(segment[2]) : ((segment[1] ?? segment[3]) as string));
  }
  if (scope === 'secrets' && (path.length !== 1 || typeof path[0] !== 'string' || match[3] !== undefined)) {
    throw new ToolError(
      'config_error',
      `\${${shorten(text)}} is not a secret reference; write \${secrets.NAME}.`,
    );
  }
  return { scope, path, optional: match[3] !== undefined, text: text.trim() };
}

/** Names of the secrets a template uses. */
export function secretsIn(template: TextTemplate): string[] {
  return template.parts.flatMap((part) =>
    typeof part !== 'string' && part.scope === 'secrets' ? [part.path[0] as string] : [],
  );
}

/** Whether the template has anything to fill in. */
export function isConstant(template: TextTemplate): boolean {
  return template.parts.every((part) => typeof part === 'string');
}

/**
 * Fills in a template. One that is exactly one `${…}` keeps the value's type; inside a longer text, objects become JSON.
 * @returns undefined when the template is one optional reference to something that is not there.
 * @throws ToolError `invalid_input` when something that is not optional is missing.
 */
export function fillValue(template: TextTemplate, scope: TemplateScope): unknown {
  const [first] = template.parts;
  if (template.parts.length === 1 && typeof first === 'object') return resolve(first, scope);
  return fillText(template, scope);
}

/**
 * Fills in a template as text.
 * @param encode applied to each value that is filled in, never to what the template itself says.
 */
export function fillText(
  template: TextTemplate,
  scope: TemplateScope,
  encode: (text: string) => string = (text) => text,
): string {
  let text = '';
  for (const part of template.parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const value = resolve(part, scope);
    if (value === undefined || value === null) continue;
    text += encode(asText(value));
  }
  return text;
}

/** How a value reads inside a text: strings as they are, everything else as JSON. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function resolve(reference: Reference, scope: TemplateScope): unknown {
  if (reference.scope === 'secrets') {
    const secret = scope.secrets.get(reference.path[0] as string);
    if (secret === undefined) throw new ToolError('config_error', `\${${reference.text}} was not resolved.`);
    return secret;
  }
  let value: unknown = reference.scope === 'input' ? scope.input : scope.call;
  let pointer = '';
  for (const segment of reference.path) {
    pointer += `/${String(segment).replace(/~/g, '~0').replace(/\//g, '~1')}`;
    const found: boolean =
      value !== null &&
      typeof value === 'object' &&
      (typeof segment === 'string' || Array.isArray(value)) &&
      Object.hasOwn(value, segment);
    value = found ? (value as Record<string | number, unknown>)[segment] : undefined;
    if (value === undefined) break;
  }
  if (value === undefined && !reference.optional) {
    throw new ToolError('invalid_input', `\${${reference.text}} is missing from the input.`, { pointer });
  }
  return value;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** A JSON value whose strings are templates; made once per tool, filled in per call. */
export type JsonTemplate =
  | { kind: 'constant'; value: unknown }
  | { kind: 'text'; template: TextTemplate }
  | { kind: 'list'; items: JsonTemplate[] }
  | { kind: 'object'; entries: [string, JsonTemplate][] };

/** Reads the templates inside a JSON value. Throws as {@link parseTemplate}. */
export function parseJsonTemplate(value: unknown): JsonTemplate {
  if (typeof value === 'string') {
    const template = parseTemplate(value);
    return isConstant(template)
      ? { kind: 'constant', value: template.parts.join('') }
      : { kind: 'text', template };
  }
  if (Array.isArray(value)) return { kind: 'list', items: value.map(parseJsonTemplate) };
  if (value !== null && typeof value === 'object') {
    return {
      kind: 'object',
      entries: Object.entries(value).map(([key, item]) => [key, parseJsonTemplate(item)]),
    };
  }
  return { kind: 'constant', value };
}

/** Fills in a JSON template; a property or element whose optional value is not there is left out. */
export function fillJson(template: JsonTemplate, scope: TemplateScope): unknown {
  switch (template.kind) {
    case 'constant':
      return template.value;
    case 'text':
      return fillValue(template.template, scope);
    case 'list':
      return template.items.map((item) => fillJson(item, scope)).filter((item) => item !== undefined);
    case 'object': {
      const filled: [string, unknown][] = [];
      for (const [key, item] of template.entries) {
        const value = fillJson(item, scope);
        if (value !== undefined) filled.push([key, value]);
      }
      return Object.fromEntries(filled);
    }
  }
}

/** Names of the secrets a JSON template uses. */
export function secretsInJson(template: JsonTemplate): string[] {
  switch (template.kind) {
    case 'constant':
      return [];
    case 'text':
      return secretsIn(template.template);
    case 'list':
      return template.items.flatMap(secretsInJson);
    case 'object':
      return template.entries.flatMap(([, item]) => secretsInJson(item));
  }
}
