import type { Query } from './dashboard-queries.ts';
import { type Panel, rows, type Stat, stats } from './dashboard-panels.ts';

const datasource = { type: 'prometheus', uid: '${datasource}' };

/** docs/deploy/grafana-dashboard.json: a row of figures, then rows of panels. */
export function dashboard() {
  const panels: object[] = [];
  let y = 0;
  const heading = (title: string): void => {
    const gridPos = { h: 1, w: 24, x: 0, y };
    panels.push({ id: panels.length + 1, type: 'row', title, collapsed: false, gridPos, panels: [] });
    y += 1;
  };
  const line = (h: number, drawn: readonly object[]): void => {
    const widest = Math.ceil(24 / drawn.length);
    for (const [n, panel] of drawn.entries()) {
      const x = n * widest;
      panels.push({ id: panels.length + 1, ...panel, gridPos: { h, w: Math.min(widest, 24 - x), x, y } });
    }
    y += h;
  };

  heading('At a glance');
  line(4, stats.map(drawnStat));
  for (const [title, lines] of Object.entries(rows)) {
    heading(title);
    for (const of of lines) line(8, of.map(drawnPanel));
  }
  return { ...frame, panels };
}

function drawnStat({ title, description, expr, unit, steps }: Stat): object {
  return {
    type: 'stat',
    title,
    ...(description === undefined ? {} : { description }),
    targets: [target({ expr, legend: '' }, 0)],
    fieldConfig: {
      defaults: {
        unit,
        thresholds: { mode: 'absolute', steps: steps.map(([color, value]) => ({ color, value })) },
      },
      overrides: [],
    },
    options: {
      colorMode: 'background',
      graphMode: 'none',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      textMode: 'auto',
    },
    datasource,
  };
}

function drawnPanel({ title, description, queries, stacked, right }: Panel): object {
  const onRight = [
    { id: 'unit', value: 'none' },
    { id: 'custom.axisPlacement', value: 'right' },
  ];
  return {
    type: 'timeseries',
    title,
    description: description ?? [...new Set(queries.map(({ help }) => help))].join('. '),
    targets: queries.map(target),
    fieldConfig: {
      defaults: {
        unit: queries[0]!.unit,
        min: 0,
        custom: {
          lineWidth: 1,
          fillOpacity: stacked === true ? 20 : 5,
          stacking: { mode: stacked === true ? 'normal' : 'none' },
        },
      },
      overrides: right === undefined ? [] : [{ matcher: { id: 'byRegexp', options: right }, properties: onRight }],
    },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    datasource,
  };
}

function target({ expr, legend }: Pick<Query, 'expr' | 'legend'>, n: number): object {
  return { refId: 'ABC'[n], datasource, expr, legendFormat: legend };
}

/** The dashboard beside its panels: data source and job are chosen in it. */
const frame = {
  uid: 'rota',
  title: 'Rota',
  description: 'The scheduler of OpenKAT. docs/metrics.md says what each metric is.',
  tags: ['rota', 'openkat'],
  schemaVersion: 39,
  version: 1,
  editable: true,
  refresh: '30s',
  time: { from: 'now-6h', to: 'now' },
  timezone: 'browser',
  graphTooltip: 1,
  templating: { list: [choiceOfPrometheus(), choiceOfJob()] },
  annotations: {
    list: [
      {
        builtIn: 1,
        name: 'Annotations & Alerts',
        type: 'dashboard',
        datasource: { type: 'grafana', uid: '-- Grafana --' },
        enable: true,
        hide: true,
        iconColor: 'rgba(0, 211, 255, 1)',
      },
    ],
  },
};

function choiceOfPrometheus(): object {
  const { type: query } = datasource;
  return { name: 'datasource', label: 'Prometheus', type: 'datasource', query, current: {}, hide: 0, refresh: 1 };
}

function choiceOfJob(): object {
  const definition = 'label_values(rota_build_info, job)';
  return {
    name: 'job',
    label: 'Job',
    type: 'query',
    datasource,
    query: { query: definition, refId: 'job' },
    definition,
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: '.+',
    current: { text: 'All', value: '$__all' },
  };
}
