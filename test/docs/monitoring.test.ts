import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { metricTable } from '../../src/observation/metrics.ts';
import { dashboard } from '../support/dashboard.ts';
import { namedIn } from '../support/promql.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const rules = (parse(read('docs/deploy/prometheus-alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const { panels } = JSON.parse(read('docs/deploy/grafana-dashboard.json')) as { panels: Panel[] };
const targets = panels.flatMap(({ title, targets: of = [] }) => of.map((target) => ({ title, ...target })));

/** Labels that Prometheus adds to every sample. */
const ofPrometheus = ['job', 'instance'];

/** Labels of the metric that a sample belongs to; null for an unknown one. Those of Prometheus and prom-client have none. */
function labelsOf(sample: string): readonly string[] | null {
  if (/^(?:up|process_\w+|nodejs_\w+)$/.test(sample)) return [];
  for (const { name, type, labels } of metricTable) {
    if (type !== 'histogram' && sample === name) return labels;
    if (type === 'histogram' && sample === `${name}_bucket`) return [...labels, 'le'];
    if (type === 'histogram' && [`${name}_sum`, `${name}_count`].includes(sample)) return labels;
  }
  return null;
}

/** Metrics and labels of an expression that do not exist. */
function strangersIn(expression: string, shown = ''): readonly string[] {
  const { metrics, groupedBy } = namedIn(expression);
  const known = new Set([...ofPrometheus, ...metrics.flatMap(({ name }) => labelsOf(name) ?? [])]);
  const inShown = [...shown.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, label]) => label!);
  return [
    ...metrics.filter(({ name }) => labelsOf(name) === null).map(({ name }) => name),
    ...metrics.flatMap(({ name, labels }) =>
      labels
        .filter((label) => ![...ofPrometheus, ...(labelsOf(name) ?? [])].includes(label))
        .map((label) => `${name}{${label}}`),
    ),
    ...[...groupedBy, ...inShown].filter((label) => !known.has(label)),
    // A label that was grouped away shows as nothing.
    ...(groupedBy.length === 0 ? [] : inShown.filter((label) => !groupedBy.includes(label))),
  ];
}

test.each(rules.map((rule) => [rule.alert, rule] as const))(
  'alert %s names metrics and labels that there are',
  (_, rule) => {
    expect(namedIn(rule.expr).metrics).not.toEqual([]);
    expect(strangersIn(rule.expr, rule.annotations.summary)).toEqual([]);
    expect(['critical', 'warning']).toContain(rule.labels.severity);
  },
);

test('every alert points to a heading of the operations page that names it, and none is left out there', () => {
  const sections = read('docs/operations.md').split(/^### /m).slice(1);
  const byAnchor = new Map(sections.map((text) => [anchorOf(text.split('\n')[0]!), text]));
  for (const { alert, annotations } of rules) {
    const [page, anchor] = annotations.runbook.split('#');
    expect(page, alert).toBe('docs/operations.md');
    expect(byAnchor.get(anchor!), annotations.runbook).toContain(`\`${alert}\``);
  }
  const named = sections.flatMap((text) => [...text.matchAll(/`(Rota[A-Z]\w+)`/g)].map(([, alert]) => alert));
  expect(new Set(named)).toEqual(new Set(rules.map(({ alert }) => alert)));
});

test.each(targets.map((target) => [target.title, target.expr, target.legendFormat] as const))(
  'panel "%s" names metrics and labels that there are: %s',
  (_, expr, legend) => {
    expect(namedIn(expr).metrics).not.toEqual([]);
    expect(strangersIn(expr, legend)).toEqual([]);
  },
);

/** `make utest file=test/docs/monitoring.test.ts` shows a difference; `vitest run -u` rewrites the dashboard. */
test('docs/deploy/grafana-dashboard.json is what test/support/dashboard.ts makes of the table of metrics', async () => {
  const written = `${JSON.stringify(dashboard(), null, 2)}\n`;
  await expect(written).toMatchFileSnapshot('../../docs/deploy/grafana-dashboard.json');
});

test('the dashboard shows every metric of ours that moves, or an alert does', () => {
  const named = new Set([...targets, ...rules].flatMap(({ expr }) => namedIn(expr).metrics.map(({ name }) => name)));
  const unused = metricTable
    .map(({ name }) => name)
    .filter((name) => !['', '_bucket', '_sum', '_count'].some((suffix) => named.has(name + suffix)));
  expect(unused).toEqual(notShown);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
});

/** Constants, and totals of which the dashboard shows a more detailed view. */
const notShown = [
  'rota_tasks_removed_total',
  'rota_schedules_removed_total',
  'rota_pops_parked_total',
  'rota_event_source_losses_total',
  'rota_circuit_changes_total',
  'rota_ranking_tasks_total',
  'app_settings_info',
  'rota_build_info',
];

describe('the check itself', () => {
  test.each([
    ['rate(rota_claim_rows_bucket[5m])', '', []],
    ['rate(rota_claim_rows[5m])', '', ['rota_claim_rows']],
    ['rota_actor_up{job=~"$job", actor="boefje"} == 0', '{{actor}} on {{ $labels.instance }}', []],
    ['rota_actor_up{thread="main"} == 0', '', ['rota_actor_up{thread}']],
    ['sum by (lane) (rota_actor_up) > 0.5', '', ['lane']],
    ['sum by (actor) (rota_actor_up) or vector(0)', '{{instance}}', ['instance']],
    ['rota_nothing_total unless rota_nothing_total offset 15m', '', ['rota_nothing_total', 'rota_nothing_total']],
    ['histogram_quantile(0.99, sum by (le) (rate(rota_claim_seconds_bucket{scheduler!="x"}[5m]))) > 2e3', '', []],
  ])('%s', (expression, shown, strangers) => {
    expect(strangersIn(expression, shown)).toEqual(strangers);
  });
});

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
