import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { PaoError } from '../../domain/errors.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';
import { parseYamlDocuments } from '../../domain/yaml-position.js';

const rate = z.number().min(0).max(1_000_000);
const priceSchema = z.strictObject({ input: rate, output: rate });
/** US dollars for a million tokens; a name that ends in `*` stands for all that begin so. */
const pricesSchema = z.strictObject({
  models: z.record(z.string().min(1), priceSchema).default({}),
  /** By the address of a tool, whatever the model: comes first. */
  tools: z.record(z.string().min(1), priceSchema).default({}),
});
type Prices = z.infer<typeof pricesSchema>;

/** US dollars for a million tokens. */
export type Price = z.infer<typeof priceSchema>;

/** Where prices come from. */
export type PriceSource = Pick<PriceTable, 'find' | 'path' | 'problem'>;

/** Billionths of a dollar, never less than it costs. */
export const costOf = (price: Price, inputTokens: number, outputTokens: number): number =>
  // Sums of such products are exact to far below a billionth; what rounding adds must not become one more.
  Math.ceil(Math.round((inputTokens * price.input + outputTokens * price.output) * 1e6) / 1e3);

/** The prices a person wrote down, read again whenever the file changes. */
export class PriceTable {
  #read: { stamp: string; prices: Prices | null; problem: string | null } | null = null;

  /** @param path the YAML file; it need not be there. */
  constructor(readonly path: string) {}

  /** @returns null when no line names the model; `problem` says more when the file can not be read. */
  async find(tool: string, model: string): Promise<Price | null> {
    const { prices } = await this.#current();
    if (prices === null) return null;
    return lookUp(prices.tools, tool) ?? lookUp(prices.models, model);
  }

  /** Why the file as it is now can not be used; null when it can, or is not there. */
  async problem(): Promise<string | null> {
    return (await this.#current()).problem;
  }

  async #current() {
    const stamp = stampOf(this.path);
    if (this.#read === null || this.#read.stamp !== stamp)
      this.#read = { stamp, ...(stamp === '' ? { prices: null, problem: null } : await read(this.path)) };
    return this.#read;
  }
}

/** The longest name that fits. */
function lookUp(table: Record<string, Price>, wanted: string): Price | null {
  let found: string | null = null;
  for (const name of Object.keys(table)) {
    const fits = name === wanted || (name.endsWith('*') && wanted.startsWith(name.slice(0, -1)));
    if (fits && (name === wanted || found === null || name.length > found.length)) found = name;
    if (name === wanted) break;
  }
  return found === null ? null : (table[found] as Price);
}

function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.mtimeMs}/${found.size}/${found.ino}`;
}

async function read(path: string): Promise<{ prices: Prices | null; problem: string | null }> {
  try {
    const [document] = await parseYamlDocuments(readFileSync(path, 'utf8'), path);
    const value = document?.value ?? {};
    const parsed = pricesSchema.safeParse(value);
    if (parsed.success) return { prices: parsed.data, problem: null };
    const [first] = problemsFromZod(parsed.error, value, pricesSchema);
    return { prices: null, problem: `${path} ${first?.pointer ?? ''} ${first?.message ?? 'is not valid'}` };
  } catch (error) {
    if (!(error instanceof PaoError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    return { prices: null, problem: `${path} can not be read: ${(error as Error).message}` };
  }
}
