import { type Bench, type Case, type Sample, type Suite, warmUp, nameOf } from '../harness/bench.ts';
import { type HttpClient, httpClient } from '../harness/http-client.ts';
import { closedLoop } from '../harness/load.ts';
import { queueUpTo } from '../harness/seeds.ts';
import { type RotaOnStage, startRotaOn } from '../harness/stage.ts';

/** mula's figures, recorded on a machine like this one (docs/benchmarks.md): 8 clients, by depth of the queue. */
const mula = {
  push: 124,
  pop: new Map([
    [10_000, 88],
    [100_000, 17],
    [500_000, 4],
  ]),
};
const wantedOfPops = new Map([
  [10_000, 30],
  [100_000, 200],
  [500_000, 1_000],
]);

export const rest: Suite = {
  name: 'rest',
  about: "pushes and pops over mula's REST API, against what mula itself reached (recorded)",
  run: async (bench) => {
    for (const depth of bench.quick ? [10_000, 100_000] : [10_000, 100_000, 500_000]) {
      const filling = { queued: depth, finished: 0 };
      const rota = await startRotaOn(await bench.stage(), `rest_${depth}`, { filling });
      const client = httpClient(rota.supervisor.api, 64);
      const clients = bench.quick && depth === 10_000 ? [8] : [1, 8, 32];
      const pops = clients.map((count) => popCase(bench, rota, client, depth, count));
      const pushes = depth === 100_000 ? [pushCase(bench, client, 1), pushCase(bench, client, 8)] : [];
      try {
        for (const one of [...pops, ...pushes].filter(({ name }) => name.includes('-8-clients'))) await warmUp(one);
        await bench.measure('rest', [...pops, ...pushes]);
      } finally {
        client.close();
        await rota.stop();
      }
      const recorded = mula.pop.get(depth)!;
      const atLeast = wantedOfPops.get(depth)!;
      bench.want(`rest/pop-8-clients-${nameOf(depth)}`, { against: 'mula (recorded)', of: recorded, atLeast });
    }
    bench.want('rest/pop-32-clients-100k', { own: 'p99_ms', atMost: 25 });
    bench.want('rest/push-8-clients', { against: 'mula (recorded)', of: mula.push, atLeast: 15 });
  },
};

function popCase(bench: Bench, rota: RotaOnStage, client: HttpClient, depth: number, clients: number): Case {
  return {
    name: `pop-${clients}-clients-${nameOf(depth)}`,
    unit: 'tasks/s',
    prepare: () => queueUpTo(rota.sql, depth),
    sample: () => load(bench, client, clients, '/schedulers/boefje/pop?limit=1', () => null, 200, depth / 2),
  };
}

let pushed = 0;

/** As Rocky pushes a scan that a person starts, but for the priority, which would put it before what is queued. */
function pushCase(bench: Bench, client: HttpClient, clients: number): Case {
  const body = () => {
    pushed += 1;
    const boefje = {
      id: 'dns-records',
      name: 'DNS records',
      version: null,
      oci_image: 'ghcr.io/minvws/openkat/generic:latest',
    };
    const input = `Hostname|internet|pushed-${process.pid}-${pushed}.example`;
    const data = { type: 'boefje', id: null, boefje, input_ooi: input, organization: 'org-1', deduplication_key: null };
    return JSON.stringify({ scheduler_id: 'boefje', organisation: 'org-1', priority: 2_000_000_000, data });
  };
  return {
    name: `push-${clients}-clients`,
    unit: 'tasks/s',
    sample: () => load(bench, client, clients, '/schedulers/boefje/push', body, 201),
  };
}

function load(
  bench: Bench,
  client: HttpClient,
  inFlight: number,
  path: string,
  body: () => string | null,
  status: number,
  most?: number,
): Promise<Sample> {
  return closedLoop({
    inFlight,
    warmUpMs: bench.warmUpMs,
    measureMs: bench.sampleMs,
    ...(most === undefined ? {} : { most }),
    send: (_slot, done, failed) =>
      client.send(
        'POST',
        path,
        body(),
        (answer) => {
          if (answer.status !== status) failed(new Error(`${path}: ${answer.status} ${answer.text}`));
          else done(answer.text === '{"results":[]}' ? 0 : 1);
        },
        failed,
      ),
  });
}
