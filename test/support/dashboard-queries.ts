import { metricTable } from '../../src/observation/metrics.ts';

/** One query of a panel, made from a metric of the table. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
  readonly unit: string;
  /** The metric's own. */
  readonly help: string;
}

interface Selection {
  /** Labels to group by; by default those of the metric that `where` does not fix. `instance` is Prometheus' own. */
  readonly by?: readonly string[];
  /** Matchers, such as `state="open"`. */
  readonly where?: string;
  /** By default the values of the labels grouped by. */
  readonly legend?: string;
}

/** Readings of the database and the broker: all supervisors show the same. */
const shared: ReadonlySet<string> = new Set(['totals', 'organisations', 'heads', 'unbegun', 'scheduleLags', 'backlog']);

function metricOf(name: string): (typeof metricTable)[number] {
  const metric = metricTable.find((known) => known.name === name);
  if (metric === undefined) throw new Error(`no metric ${name}`);
  return metric;
}

export function select(name: string, where?: string): string {
  return `${name}{job=~"$job"${where === undefined ? '' : `, ${where}`}}`;
}

/** The labels that the result keeps. */
function apart(name: string, { by, where = '' }: Selection): readonly string[] {
  const fixed = [...where.matchAll(/(\w+)="/g)].map(([, label]) => label);
  return by ?? metricOf(name).labels.filter((label) => !fixed.includes(label));
}

function aggregate(how: 'sum' | 'max', labels: readonly string[], expr: string): string {
  return `${how}${labels.length === 0 ? '' : ` by (${labels.join(', ')}) `}(${expr})`;
}

const values = (labels: readonly string[]) => labels.map((label) => `{{${label}}}`).join(' ');

/** Each supervisor counts its own: totals are summed. */
function growth(of: 'rate' | 'increase', name: string, selection: Selection): Query {
  const labels = apart(name, selection);
  return {
    expr: aggregate('sum', labels, `${of}(${select(name, selection.where)}[$__rate_interval])`),
    legend: selection.legend ?? values(labels),
    unit: of === 'rate' ? 'ops' : 'short',
    help: metricOf(name).help,
  };
}
export const rate = (name: string, selection: Selection = {}) => growth('rate', name, selection);
export const increase = (name: string, selection: Selection = {}) => growth('increase', name, selection);

/** Sums what each supervisor counts; takes the maximum of times, ratios, states, and of what is the same on all of them. */
export function gauge(name: string, selection: Selection = {}): Query {
  const metric = metricOf(name);
  const labels = apart(name, selection);
  const highest = ('of' in metric && shared.has(metric.of)) || /_(?:seconds|ratio|state)$/.test(name);
  return {
    expr: aggregate(highest ? 'max' : 'sum', labels, select(name, selection.where)),
    legend: selection.legend ?? values(labels),
    unit: unitOf(name),
    help: metric.help,
  };
}

/** One curve per supervisor and label set. */
export function each(name: string, legend: string): Query {
  return { expr: select(name), legend, unit: unitOf(name), help: metricOf(name).help };
}

function unitOf(name: string): string {
  const ending = /_(seconds|bytes|up|state)$/.exec(name)?.[1];
  return { seconds: 's', bytes: 'bytes', up: 'bool_on_off', state: 'bool_on_off' }[ending ?? ''] ?? 'short';
}

export function quantile(of: 0.5 | 0.99, name: string, legend: string): Query {
  const { labels, help } = metricOf(name);
  const buckets = aggregate('sum', [...labels, 'le'], `rate(${select(`${name}_bucket`)}[$__rate_interval])`);
  return { expr: `histogram_quantile(${of}, ${buckets})`, legend, unit: 's', help };
}

export function quantiles(name: string): readonly Query[] {
  const shown = values(metricOf(name).labels);
  return [quantile(0.5, name, `p50 ${shown}`), quantile(0.99, name, `p99 ${shown}`)];
}

/** The mean of what a histogram observes. */
export function mean(name: string, what: string): Query {
  const { labels, help } = metricOf(name);
  const part = (suffix: string) => aggregate('sum', labels, `rate(${select(`${name}_${suffix}`)}[$__rate_interval])`);
  return { expr: `${part('sum')} / ${part('count')}`, legend: `${what} ${values(labels)}`, unit: 'short', help };
}

/** Both have the same labels. */
export function quotient(dividend: Query, divisor: Query, unit: string): Query {
  return { ...dividend, expr: `${dividend.expr} / ${divisor.expr}`, unit };
}

/** The number of samples for which the comparison holds. */
export const count = (name: string, is: string, where?: string) =>
  `count(${select(metricOf(name).name, where)} ${is}) or vector(0)`;
