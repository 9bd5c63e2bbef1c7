import { type Bench, type Case, type Suite, nameOf } from '../harness/bench.ts';
import { tenMillion } from '../harness/seeds.ts';
import { type HttpClient, httpClient } from '../harness/http-client.ts';
import { closedLoop } from '../harness/load.ts';
import { startRotaOn } from '../harness/stage.ts';

const list = '/tasks?scheduler_id=boefje&task_type=boefje&offset=0&limit=150';
const bounded = '&allow_partial_count=true&max_pages=10';
const own = JSON.stringify({ filters: [{ column: 'organisation', operator: '==', value: 'org-1' }] });
const byPlugin = JSON.stringify({
  filters: [
    { column: 'organisation', operator: '==', value: 'org-1' },
    { column: 'data', field: 'boefje__id', operator: '==', value: 'boefje-7' },
  ],
});

/** What Rocky's pages ask; `bar` where the count is bounded, as newer ones ask for. */
const requests: readonly { name: string; method: string; path: string; body: string | null; bar?: boolean }[] = [
  { name: 'tasks-of-organisation', method: 'POST', path: list + bounded, body: own, bar: true },
  { name: 'tasks-of-all', method: 'POST', path: list + bounded, body: null, bar: true },
  { name: 'tasks-failed', method: 'POST', path: `${list}${bounded}&status=failed`, body: own, bar: true },
  { name: 'tasks-completed', method: 'POST', path: `${list}${bounded}&status=completed`, body: own, bar: true },
  { name: 'tasks-of-plugin', method: 'POST', path: list + bounded, body: byPlugin, bar: true },
  { name: 'tasks-of-organisation-counted', method: 'POST', path: list, body: own },
  {
    name: 'stats-of-organisation',
    method: 'GET',
    path: '/tasks/stats?scheduler_id=boefje&organisation_id=org-1',
    body: null,
    bar: true,
  },
  { name: 'stats-of-all', method: 'GET', path: '/tasks/stats?scheduler_id=boefje', body: null, bar: true },
];

export const api: Suite = {
  name: 'api',
  about: "what Rocky's pages ask, over a table full of tasks",
  run: async (bench) => {
    for (const rows of bench.quick ? [10_000, 100_000] : [1_000_000, 10_000_000]) {
      // Most of a KAT's tasks are over; of ten million one is.
      const filling = rows === tenMillion.queued ? tenMillion : { queued: rows * 0.1, finished: rows * 0.9 };
      const rota = await startRotaOn(await bench.stage(), `api_${nameOf(rows)}`, { filling });
      const client = httpClient(rota.supervisor.api, 8);
      try {
        await bench.measure(
          'api',
          requests.map((request) => pageCase(bench, client, request, rows)),
        );
      } finally {
        client.close();
        await rota.stop();
      }
      for (const { name, bar } of requests)
        if (bar) bench.want(`api/${name}-${nameOf(rows)}`, { own: 'p99_ms', atMost: 50 });
    }
  },
};

/** One page at a time, as a person looks at it. */
function pageCase(bench: Bench, client: HttpClient, request: (typeof requests)[number], rows: number): Case {
  const { name, method, path, body } = request;
  return {
    name: `${name}-${nameOf(rows)}`,
    unit: 'requests/s',
    sample: () =>
      closedLoop({
        inFlight: 1,
        warmUpMs: bench.warmUpMs / 3,
        measureMs: bench.sampleMs / 3,
        send: (_slot, done, failed) =>
          client.send(
            method,
            path,
            body,
            ({ status, text }) => (status === 200 ? done(1) : failed(new Error(text))),
            failed,
          ),
      }),
  };
}
