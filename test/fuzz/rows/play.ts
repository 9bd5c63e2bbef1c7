import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Pops, Probe } from '../probe.ts';
import { openStage, type Stage } from '../stage.ts';
import { faultsInLog, restingMemory } from '../watch.ts';
import type { Target } from './actor.ts';
import type { Row } from './row.ts';

/** What the process of a hostile client is started with. */
export interface Hostile {
  readonly name: string;
  readonly target: Target;
  /** For how long it plays, unless once is enough. */
  readonly leastMs: number;
}

/** What it answers. */
export interface Played {
  readonly faults: readonly string[];
  readonly seconds: number;
}

export interface RowFinding {
  readonly row: string;
  readonly faults: readonly string[];
  readonly seconds: number;
  readonly quiet: Pops;
  readonly during: Pops;
  /** Milliseconds that the supervisor's event loop was late, at most: the rest of a pop's time is the machine's. */
  readonly stallMs: number | null;
  /** Resident MiB: before, the most meanwhile, at rest afterwards. */
  readonly memory: { readonly before: number; readonly most: number; readonly after: number };
}

const rowBounds = { popRatio: 3, memoryRatio: 1.5 } as const;
/**
 * Milliseconds that another client's pops may take in any case. A quiet p99 is 4 to 8 ms on two cores, and swings by as much. A pop
 * passes eight threads of five processes, each of which waits its turn where a row fills both cores: a third of the time of the
 * supervisor's main thread was spent so, and `unknown-key` reached 49 ms.
 */
const leastPopBoundMs = { usual: 25, heavy: 70 } as const;
/** Tasks in the queue, so that a filter that looks at all of them has something to do. */
const queued = 40_000;
const quietMs = 10_000;
/** 500 pops: five of them are beyond the p99. A row that is over sooner is looked at for as long: what it left behind counts. */
const shortestMs = 10_000;

/**
 * Plays rows one after the other. A row that may spoil its stage gets one of its own; so does the row after a crash, or after
 * memory that does not come back.
 */
export async function playRows(
  rows: readonly Row[],
  told: (finding: RowFinding) => void,
): Promise<readonly RowFinding[]> {
  const findings: RowFinding[] = [];
  let place: Place | null = null;
  try {
    for (const row of rows) {
      place ??= await openPlace();
      const finding = await playRow(row, place);
      findings.push(finding);
      told(finding);
      const { before, after } = finding.memory;
      if (row.spoils === true || place.stage.supervisor.ended() || after > before * rowBounds.memoryRatio) {
        await place.stack.disposeAsync();
        place = null;
      }
    }
  } finally {
    await place?.stack.disposeAsync();
  }
  return findings;
}

interface Place {
  readonly stack: AsyncDisposableStack;
  readonly stage: Stage;
  readonly probe: Probe;
}

async function openPlace(): Promise<Place> {
  const stack = new AsyncDisposableStack();
  try {
    const stage = await openStage('amqp', stack);
    const { organisation, client } = stage;
    for (let from = 0; from < queued; from += 1_000) {
      const tasks = Array.from({ length: 1_000 }, (_, at) => {
        const ooi = `Hostname|internet|queued-${from + at}.nl`;
        return { organisation, data: { boefje: { id: 'nmap' }, input_ooi: ooi, organization: organisation } };
      });
      await client.push('boefje', tasks);
    }
    const probe = await Probe.start({ natsUrl: stage.natsUrl, prefix: stage.prefix, scheduler: 'boefje' });
    stack.defer(() => probe.stop());
    return { stack, stage, probe };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function playRow(row: Row, { stage, probe }: Place): Promise<RowFinding> {
  const { supervisor } = stage;
  await delay(1_000);
  supervisor.readLog();
  await probe.take();
  await delay(quietMs);
  const quiet = await probe.take();
  await longestStallMs(supervisor.api);
  const before = supervisor.memory();
  let most = before;
  const sampling = setInterval(() => (most = Math.max(most, supervisor.memory())), 50).unref();
  const began = performance.now();
  const played = await play(row, stage);
  await delay(Math.max(0, shortestMs - (performance.now() - began)));
  const during = await probe.take();
  const stallMs = await longestStallMs(supervisor.api);
  clearInterval(sampling);
  const after = await restingMemory(supervisor, before * rowBounds.memoryRatio, 30_000);
  const mostMs = Math.max(
    row.heavy === true ? leastPopBoundMs.heavy : leastPopBoundMs.usual,
    quiet.p99 * rowBounds.popRatio,
  );
  const faults = [
    ...tallied(played.faults),
    ...(supervisor.ended() ? ['the supervisor ended'] : []),
    ...(stallMs === null ? ['/metrics was not answered'] : []),
    ...faultsInLog(supervisor),
    ...(during.p99 > mostMs
      ? [`pops of another client: p99 ${during.p99.toFixed(0)} ms, at most ${mostMs.toFixed(0)}`]
      : []),
    ...(during.refused > 0 ? [`${during.refused} pops of another client were refused`] : []),
    ...(during.unanswered > 0 ? [`${during.unanswered} pops of another client were not answered`] : []),
    ...(after > before * rowBounds.memoryRatio
      ? [`memory ${before.toFixed(0)} → ${after.toFixed(0)} MiB at rest`]
      : []),
    ...(most > before * rowBounds.memoryRatio
      ? [`memory ${before.toFixed(0)} → ${most.toFixed(0)} MiB meanwhile`]
      : []),
  ];
  return { row: row.name, faults, seconds: played.seconds, quiet, during, stallMs, memory: { before, most, after } };
}

const hostileProcess = fileURLToPath(new URL('hostile-process.ts', import.meta.url));

/**
 * The hostile client gets only the processor time that nothing else wants: it has a machine of its own, and what it spends on making
 * its input is not time that the supervisor takes. `nice`, since on Linux a priority is a thread's, and V8's threads that collect its
 * garbage took 0.3 of two cores.
 */
async function play({ name }: Row, stage: Stage): Promise<Played> {
  const { natsUrl, amqpUrl, databaseUrl, prefix, organisation } = stage;
  const target = { api: stage.supervisor.api, natsUrl, amqpUrl, databaseUrl, prefix, organisation };
  const hostile: Hostile = { name, target, leastMs: shortestMs };
  const began = performance.now();
  const child = spawn('nice', ['-n', '19', process.execPath, hostileProcess, JSON.stringify(hostile)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const endWithUs = () => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  // 'message' comes first where it played to its end; 'error' makes `once` reject.
  const ended = once(child, 'exit').then(([code, signal]) => [failed(`it exited with ${code ?? signal}`)]);
  ended.catch(() => {});
  const failed = (why: string): Played => ({
    faults: [`the row itself ended: ${why}`],
    seconds: (performance.now() - began) / 1_000,
  });
  try {
    const [played] = (await Promise.race([once(child, 'message'), ended])) as [Played];
    return played;
  } catch (error) {
    return failed(String(error));
  } finally {
    process.off('exit', endWithUs);
    child.kill('SIGKILL');
  }
}

/** Between two samples, which are 10 ms apart where nothing stalls. */
const lagResolutionMs = 10;

/** Since the last scrape: the metric starts again with each one. Null where there was no answer. */
async function longestStallMs(api: string): Promise<number | null> {
  try {
    const response = await fetch(`${api}/metrics`, { signal: AbortSignal.timeout(15_000) });
    const text = await response.text();
    const ms = Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1] ?? 0) * 1_000;
    return Math.max(0, ms - lagResolutionMs);
  } catch {
    return null;
  }
}

/** Each fault once, with how often it was found. */
function tallied(faults: readonly string[]): readonly string[] {
  return [...Map.groupBy(faults, (fault) => fault)].map(([fault, { length }]) =>
    length === 1 ? fault : `${fault} (${length} times)`,
  );
}
