/** What a service of the operating system runs: `pao start local` as it would be typed here. */
export interface ServiceProgram {
  /** Absolute path of Node.js. */
  node: string;
  /** Absolute path of `bin/run.cjs`. */
  bin: string;
  /** The data directory. */
  home: string;
  /** Where it is started: pao.config.yaml is looked for there and above. */
  folder: string;
  /** The pao.config.yaml that it finds; null: none. */
  config: string | null;
  /** Where tools that are programs (`npx`, …) are looked for. */
  path: string;
  /** Settings that came from the environment, without secrets. */
  settings: Readonly<Record<string, string>>;
  /** How long a stop may take, seconds: the configured grace and what comes after it. */
  stopSeconds: number;
}

/** What a file of ours says about itself, so that it can be found again without parsing the rest. */
export type ServiceFacts = Pick<ServiceProgram, 'node' | 'bin' | 'home' | 'config'>;

const FACTS = /pao service install: (\{.*\})/;

/** The facts as one line of text, which a comment of a unit and of XML can hold. */
export function factsLine({ node, bin, home, config }: ServiceFacts): string {
  // XML ends a comment at two hyphens.
  const json = JSON.stringify({ node, bin, home, config }).replaceAll('--', '-\\u002d');
  return `pao service install: ${json}`;
}

/** What a file says about itself. @returns null when pao did not write it. */
export function readFacts(text: string): ServiceFacts | null {
  try {
    const facts = JSON.parse(FACTS.exec(text)?.[1] ?? 'null') as Partial<ServiceFacts> | null;
    const { node, bin, home, config = null } = facts ?? {};
    return typeof node === 'string' && typeof bin === 'string' && typeof home === 'string'
      ? { node, bin, home, config }
      : null;
  } catch {
    return null;
  }
}

/** The environment of the service. */
export function environmentOf({ path, home, settings }: ServiceProgram): Record<string, string> {
  return { PATH: path, PAO_HOME: home, ...settings };
}
