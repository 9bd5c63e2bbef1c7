import { expect, test } from 'vitest';
import { metricTable } from '../../src/observation/metrics.ts';

/** `make utest file=test/docs/metrics.test.ts` shows a difference; `vitest run -u` rewrites the page. */
test('docs/metrics.md lists every metric with its labels and what feeds it', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/metrics.md');
});

test('metrics are named as Prometheus has it: totals end in _total, others do not; ours begin with rota_', () => {
  const names = metricTable.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, type, help } of metricTable) {
    expect(name).toMatch(/^(?:rota|scheduler|app)_[a-z_]+$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(help, name).toMatch(/^\S.{5,}[^.]$/);
  }
});

const readings = {
  settings: 'the configuration',
  build: 'the process',
  links: 'database and NATS',
  totals: 'database: roll-up by status',
  organisations: 'database: roll-up by organisation',
  heads: 'database: head of the queue’s index',
  held: 'database: bounded range of the queue’s index',
  limits: 'database: bounded ranges of the index of what is parked',
  unbegun: 'database: leases by their end',
  scheduleLags: 'database: head of the deadlines’ index',
  backlog: 'the broker',
  waiters: 'the supervisor’s queue',
  recentFailures: 'events `tasks.changed`',
  actors: 'the supervisor',
  insides: 'each actor’s thread',
  threads: 'each thread',
  ranking: 'the ranking pool',
};

function page(): string {
  const rows = metricTable.map((metric) => {
    const labels = metric.labels.map((label) => `\`${label}\``).join(', ');
    const feeds = 'on' in metric ? `event \`${metric.on}\`` : readings[metric.of];
    return `| \`${metric.name}\` | ${metric.type} | ${labels || '–'} | ${metric.help} | ${feeds} |`;
  });
  return `# Metrics

\`GET /metrics\` answers in Prometheus' text format. This page and the dashboard are generated from
\`src/observation/metrics.ts\`; a test keeps them true, and checks that the alert rules name only what is in it. mula's families
keep their names, labels and meaning; ours begin with \`rota_\`. There are also prom-client's metrics of the
process (\`process_*\`, \`nodejs_*\`).

${rows.length} metrics:

| Metric | Type | Labels | What | From |
|---|---|---|---|---|
${rows.join('\n')}

## What a scrape costs

Metrics from events are updated once per set of tasks, of any size; only the two latencies look at each task or event, at less
than a microsecond each. The others are read at each scrape. Those from the database come from roll-ups that are a second old
and from the ends of indexes, never from a count of a table.
With a million queued tasks of 300 organisations a scrape takes 30–130 ms on two busy cores; counting that queue once takes
310 ms, and by organisation 460 ms.
With \`SCHEDULER_COLLECT_METRICS=false\` Rota does not query the database, and these have no samples. A reading that fails (an
actor spins, the database is down) has no samples; the scrape returns the others.

Each supervisor counts its own work: \`sum\` over supervisors for \`_total\`, \`_bucket\`, \`_sum\` and \`_count\`. What comes from
the database is the same on all of them: take \`max\`. Totals that an actor's thread keeps begin at 0 when it is restarted,
which \`rate\` and \`increase\` allow for.

\`rota_queue_organisation_tasks\` names the 20 organisations that have most, per scheduler; all others are \`other\`.
\`rota_plugin_*\` names the first 200 boefjes and normalizers that a process meets, \`rota_tasks_failed_total\` the first 50 codes. No other
metric has a label that grows with KAT.

## Dashboard and alerts

[deploy/grafana-dashboard.json](deploy/grafana-dashboard.json) is a Grafana dashboard of these, generated from the same table:
its panels are in \`test/support/dashboard-panels.ts\`. Import it and choose the Prometheus.
[deploy/prometheus-alerts.yaml](deploy/prometheus-alerts.yaml) are rules for Prometheus (\`rule_files\`), each with a link to
what to do: [operations.md](operations.md#when-an-alert-fires). They take Rota's \`job\` to be \`rota\`:

    scrape_configs:
      - job_name: rota
        static_configs:
          - targets: ['scheduler:8000']
    rule_files:
      - prometheus-alerts.yaml
`;
}
