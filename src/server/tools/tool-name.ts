/**
 * The name of an imported tool inside its group: what an address does not allow becomes `_`.
 * @returns at most 64 characters that begin with a letter.
 */
export function toToolName(remote: string): string {
  const name = remote
    .replace(/[^A-Za-z0-9_-]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 64);
  return /^[A-Za-z]/.test(name) ? name : `t_${name}`.slice(0, 64);
}
