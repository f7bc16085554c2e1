/** Where managers of versions keep what an upgrade or a cleaning takes away, and what they are called. */
const PLACES: readonly (readonly [place: RegExp, name: string])[] = [
  [/\/\.?nvm\/versions\/node\//, 'nvm'],
  [/fnm\/node-versions\/|fnm_multishells/, 'fnm'],
  [/\/\.?volta\/tools\/image\/node\//, 'Volta'],
  [/\/\.?asdf\/installs\/nodejs\//, 'asdf'],
  [/\/mise\/installs\/node\//, 'mise'],
  [/\/\.?nodenv\/versions\//, 'nodenv'],
  [/\/Cellar\/node(@\d+)?\//, 'Homebrew'],
  [/\/snap\/node\/\d+\//, 'snap'],
  [/\/_npx\//, 'npx'],
  [/\/pnpm\/dlx/, 'pnpm dlx'],
  [/\/bunx-/, 'bunx'],
  [/\/\.pnpm\//, 'pnpm'],
];

/** The manager of versions that a path belongs to, with which it goes away; null when it stays as it is. */
export function goesAwayWith(path: string): string | null {
  return PLACES.find(([place]) => place.test(path))?.[1] ?? null;
}
