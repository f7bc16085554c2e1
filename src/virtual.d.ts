declare module '*.sql' {
  /** The text of the file. */
  const text: string;
  export default text;
}

declare module 'pao:dashboard' {
  /** The files of the dashboard (src/dashboard), made by scripts/modules.mjs when it is built: text, by the name in its URL. */
  export const files: Record<'index.html' | 'dashboard.js' | 'dashboard.css' | 'dashboard.svg', string>;
}

declare module 'pao:commands' {
  /** Every file of src/commands by its oclif id (`task:list`), made by scripts/modules.mjs when it is built. */
  export const commands: Record<string, () => Promise<{ default: unknown }>>;
}
