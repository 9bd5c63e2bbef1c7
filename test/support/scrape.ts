/** Samples of one scrape. */
export interface Scrape {
  /** The sum over the samples of that name which have these labels; null where there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | null;
  /** Label sets of a name. */
  series(name: string): readonly Readonly<Record<string, string>>[];
}

/** What a supervisor's /metrics says now. */
export async function scrape(api: string): Promise<Scrape> {
  return read(await (await fetch(`${api}/metrics`)).text());
}

export function read(text: string): Scrape {
  const samples = [...text.matchAll(/^([a-z_:]+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, labels, value]) => ({
    name: name!,
    labels: Object.fromEntries(
      [...(labels ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, label, of]) => [label!, of!]),
    ) as Readonly<Record<string, string>>,
    value: Number(value),
  }));
  return {
    value(name, labels = {}) {
      const wanted = Object.entries(labels);
      const found = samples.filter(
        (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
      );
      return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
    },
    series: (name) => samples.filter((sample) => sample.name === name).map(({ labels }) => labels),
  };
}
