/** Values beyond this many of one open label share the value `other`: memory and storage must not grow with names. */
const MAX_VALUES = { tool: 100, task: 100, worker: 100, route: 300 } as const;

/** Keeps the open labels of one registry within their bounds. */
export function boundedLabels(): (labels: Record<string, string>) => Record<string, string> {
  const known = new Map<string, Set<string>>(Object.keys(MAX_VALUES).map((label) => [label, new Set()]));
  return (labels) => {
    let bounded = labels;
    for (const label of Object.keys(labels)) {
      const seen = known.get(label);
      const value = labels[label] as string;
      if (seen === undefined || seen.has(value)) continue;
      if (seen.size < MAX_VALUES[label as keyof typeof MAX_VALUES]) seen.add(value);
      else bounded = { ...bounded, [label]: 'other' };
    }
    return bounded;
  };
}
