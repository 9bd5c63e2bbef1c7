import { findChromium, startBrowser } from '../../test/support/chromium.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { type Bench, type Sample, type Suite, nameOf, warmUp } from '../harness/bench.ts';
import { type KatOnStage, plainWorld, startKatOn, untilLooked } from '../harness/kat.ts';
import { leanClient } from '../harness/lean-client.ts';
import { Backlog } from '../harness/load.ts';
import { assetsOf, look, type PageOn, pageOn, visitor, type Viewers } from '../harness/page-client.ts';
import { quantile } from '../harness/statistics.ts';
import { costs, viewers } from './page-costs.ts';
import { popCase } from './pop-cases.ts';

const overview = '/';
const pages = [
  [overview, 'overview'],
  ['/tasks', 'tasks'],
  ['/organisations', 'organisations'],
  ['/schedules', 'schedules'],
  ['/machinery', 'machinery'],
] as const;
/** Of each page, after as many that are not counted. */
const requests = 200;
const warmUpRequests = 50;

export const page: Suite = {
  name: 'page',
  about: 'the operations page: how long a page takes, and what those who look at it cost the work',
  run: async (bench) => {
    const depth = bench.quick ? 100_000 : 1_000_000;
    // Five organisations of the 300: the actors cancel what is queued of those that they look at.
    const world = plainWorld({ organisations: 5, boefjes: 1, objects: 0 });
    const filling = { queued: depth, finished: depth };
    const shown = await pageOn();
    const options = { filling, settings: shown.settings };
    const withPage = await startKatOn(bench, `page_on_${nameOf(depth)}`, world, options);
    const without = await startKatOn(bench, `page_off_${nameOf(depth)}`, world, { filling });
    try {
      for (const one of [withPage, without]) await untilLooked(one);
      await pagesByHttp(bench, shown);
      await bytesOf(bench, shown);
      await painted(bench, shown);
      await costs(bench, shown, { withPage, without });
      await without.stop();
      await popsBesideViewers(bench, shown, withPage, depth);
    } finally {
      await without.stop();
      await withPage.stop();
    }
  },
};

/** One person who asks for page after page. */
async function pagesByHttp(bench: Bench, { url, cookies }: PageOn): Promise<void> {
  const browser = visitor(url);
  let asked = 0;
  try {
    for (const [path, name] of pages) {
      // By another session each time: one may have 600 a minute.
      const get = () => browser.get(path, cookies[(asked += 1) % cookies.length]!);
      for (let done = 0; done < warmUpRequests; done += 1) await get();
      const taken: number[] = [];
      for (let done = 0; done < requests; done += 1) {
        const began = performance.now();
        await get();
        taken.push(performance.now() - began);
      }
      const latenciesMs = Float64Array.from(taken).sort();
      bench.record(`page/${name}-p95`, 'ms', [{ value: quantile(latenciesMs, 0.95)!, latenciesMs }]);
    }
    bench.want('page/overview-p95', { own: 'median', atMost: 50 });
  } finally {
    browser.close();
  }
}

/** What a browser loads that was never here, and what one loads that has the files. */
async function bytesOf(bench: Bench, { url, cookies: [cookie] }: PageOn): Promise<void> {
  const browser = visitor(url);
  try {
    const files = await assetsOf(browser, overview, cookie!);
    let first = 0;
    for (const path of [overview, ...files]) first += (await browser.get(path, cookie!)).bytes;
    bench.record('page/first-visit', 'kB', [{ value: first / 1_000 }]);
    bench.want('page/first-visit', { own: 'median', atMost: 40 });
    for (const [path, name] of pages) {
      bench.record(`page/next-${name}`, 'kB', [{ value: (await browser.get(path, cookie!)).bytes / 1_000 }]);
      bench.want(`page/next-${name}`, { own: 'median', atMost: 15 });
    }
  } finally {
    browser.close();
  }
}

/** Until Chromium has painted the first of the Overview; with an empty cache each time. */
async function painted(bench: Bench, { url, cookies: [cookie] }: PageOn): Promise<void> {
  const absent = await findChromium().then(
    () => null,
    (error: Error) => error.message,
  );
  if (absent !== null) return bench.say(`  (nothing is painted: ${absent})`);
  const [name, value] = cookie!.split(/=(.*)/s) as [string, string];
  const samples: Sample[] = [];
  const browser = await startBrowser();
  try {
    for (let done = -1; done < bench.repetitions; done += 1) {
      const context = await browser.newContext({ viewport: { width: 1_280, height: 900 } });
      await context.addCookies([{ name, value, url }]);
      const tab = await context.newPage();
      await tab.goto(url, { waitUntil: 'load' });
      const paint = await tab.waitForFunction(
        () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null,
      );
      // The first one starts the processes of the browser, too.
      if (done >= 0) samples.push({ value: (await paint.jsonValue())! });
      await context.close();
    }
  } finally {
    await browser.close();
  }
  bench.record('page/overview-painted', 'ms', samples);
  bench.want('page/overview-painted', { own: 'median', atMost: 1_000 });
}

/** The same pops while a hundred look and while nobody does, in turns. */
async function popsBesideViewers(bench: Bench, shown: PageOn, { rota }: KatOnStage, depth: number): Promise<void> {
  const connection = await connectNats({ servers: rota.natsUrl });
  const from = { client: leanClient(connection), prefix: rota.prefix, depth, backlog: new Backlog(rota.sql, depth) };
  let seen: Viewers | null = null;
  const besides = (name: string, count: number) => {
    const pops = popCase(bench, from, { name, limit: 1, inFlight: 64 });
    return {
      ...pops,
      prepare: async () => {
        await pops.prepare!();
        seen?.leave();
        seen = count === 0 ? null : await look(shown, overview, count);
      },
    };
  };
  const cases = [besides('pops-no-viewer', 0), besides(`pops-${viewers}-viewers`, viewers)];
  try {
    for (const one of cases) await warmUp(one, 1);
    await bench.measure('page', cases);
  } finally {
    (seen as Viewers | null)?.leave();
    await connection.close();
  }
  const [none, many] = ['no-viewer', `${viewers}-viewers`] as const;
  bench.want(`page/pops-${many}`, { against: 'no viewer', of: `page/pops-${none}`, atLeast: 0.95 });
  for (const name of [none, many])
    bench.record(`page/pops-p99-${name}`, 'ms', [{ value: bench.results.get(`page/pops-${name}`)!.p99_ms! }]);
  bench.want(`page/pops-p99-${many}`, { against: 'no viewer', of: `page/pops-p99-${none}`, atMost: 1.05 });
}
