const REFERENCE = /\$\{\s*secrets\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)/g;

/**
 * Names of the secrets that a tool or a catalog document refers to, sorted. Whoever may write a tool decides where the
 * values go, so writing one takes the right to use each of them (`secrets:use:<name>`).
 */
export function secretNamesIn(value: unknown): string[] {
  const names = new Set<string>();
  for (const match of (JSON.stringify(value) ?? '').matchAll(REFERENCE)) names.add(match[1] as string);
  return [...names].sort();
}
