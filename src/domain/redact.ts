/** What stands in place of a secret. */
export const REDACTED = '***';

/** A shorter value is not searched for: it would black out ordinary words. */
const MIN_PLAIN = 4;
/** A line of a value of several lines, such as a private key, is searched for on its own from this length on. */
const MIN_LINE = 16;
/** A shorter piece of an encoded value is not searched for, for the same reason. */
const MIN_ENCODED = 8;

/**
 * Replaces the values of secrets wherever they appear in text or JSON, also as base64, URL-encoded, JSON-escaped or
 * hexadecimal text. Every sink (log, run record, error, export) passes what it writes through one of these.
 */
export class Redactor {
  readonly #values = new Set<string>();
  #pattern: RegExp | null = null;
  #needles = new Set<string>();
  readonly #forms = new Set<string>();

  /** Adds a value to hide from now on. Values under 4 characters are ignored. */
  register(value: string): void {
    if (value.length < MIN_PLAIN || this.#values.has(value)) return;
    this.#values.add(value);
    for (const form of forms(value)) this.#needles.add(form);
    for (const line of value.split(/\r?\n/)) {
      const text = line.trim();
      if (text.length >= MIN_LINE && text !== value) this.register(text);
    }
    this.#pattern = null;
  }

  /**
   * Hides whatever has a form from now on: for values of which there are ever more, since each value that is registered
   * makes all others dearer. @param source of a regular expression, without groups that capture.
   */
  registerForm(source: string): void {
    if (this.#forms.has(source)) return;
    this.#forms.add(source);
    this.#pattern = null;
  }

  /** How many values and forms are hidden. */
  get size(): number {
    return this.#values.size + this.#forms.size;
  }

  /** The text with every secret replaced by `***`. */
  redactText(text: string): string {
    if (this.size === 0) return text;
    return text.replace(this.#compiled(), REDACTED);
  }

  /** The JSON value with every secret in its strings and keys replaced; the very same object when there is none. */
  redact<T>(value: T): T {
    if (this.size === 0) return value;
    return this.#walk(value) as T;
  }

  #walk(value: unknown): unknown {
    if (typeof value === 'string') return this.redactText(value);
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) {
      let copy: unknown[] | null = null;
      for (let index = 0; index < value.length; index++) {
        const clean = this.#walk(value[index]);
        if (clean !== value[index]) copy ??= value.slice();
        if (copy) copy[index] = clean;
      }
      return copy ?? value;
    }
    let changed = false;
    const entries = Object.entries(value).map(([key, item]): [string, unknown] => {
      const cleanKey = this.redactText(key);
      const clean = this.#walk(item);
      if (cleanKey !== key || clean !== item) changed = true;
      return [cleanKey, clean];
    });
    return changed ? Object.fromEntries(entries) : value;
  }

  #compiled(): RegExp {
    // Longest first: a secret that contains another one must not leave its rest behind.
    this.#pattern ??= new RegExp(
      [...[...this.#needles].sort((a, b) => b.length - a.length).map(escapePattern), ...this.#forms].join(
        '|',
      ),
      'g',
    );
    return this.#pattern;
  }
}

function forms(value: string): Set<string> {
  const found = new Set<string>([value]);
  const bytes = Buffer.from(value, 'utf8');
  const percent = percentEncode(bytes);
  found.add(percent);
  found.add(percent.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
  found.add(percent.replace(/%3A/g, ':').replace(/%40/g, '@'));
  found.add(new URLSearchParams([['', value]]).toString().slice(1));
  found.add(JSON.stringify(value).slice(1, -1));
  const hex = bytes.toString('hex');
  const encoded = [hex, hex.toUpperCase(), ...base64Forms(bytes)];
  for (const one of encoded) if (one.length >= MIN_ENCODED) found.add(one);
  return found;
}

/** The part of the base64 text that is the same whatever comes before and after the value, for each of 3 alignments. */
function base64Forms(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let offset = 0; offset < 3; offset++) {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const lead = offset === 0 ? 0 : offset + 1;
    const whole = Math.floor(((offset + bytes.length) * 8) / 6);
    const core = text.slice(lead, whole);
    found.push(core, core.replace(/\+/g, '-').replace(/\//g, '_'));
  }
  return found;
}

function percentEncode(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += /[A-Za-z0-9\-_.!~*'()]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
