// JSON.stringify escapes C0 itself; C1 and the bidirectional controls would reach the terminal (Trojan Source).
const CONTROL = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A value from elsewhere as JSON that is safe for a terminal and still JSON: control characters become `\uXXXX`.
 * @param indent spaces; 0 for one line.
 */
export function jsonText(value: unknown, indent = 2): string {
  const text = JSON.stringify(value ?? null, null, indent);
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
