import type { TaskLists } from '../../src/queue/lists/lists.ts';
import type {
  ClaimedTask,
  LeaseRef,
  PatchOutcome,
  PopRequest,
  ReleaseOutcome,
  TaskQueue,
} from '../../src/queue/queue.ts';
import type { NewTask, PushOutcome } from '../../src/protocol/requests.ts';
import type { Schedules } from '../../src/queue/schedules/schedule-crud.ts';
import type { Weights } from '../../src/control/weights.ts';
import type { RestAccess } from '../../src/rest/access.ts';
import type { Schedulers } from '../../src/rest/app.ts';
import { createRestServer, type RestOptions, type RestServer } from '../../src/rest/server.ts';
import { quietLog } from '../support/quiet-log.ts';

/** A queue that answers what the test says and remembers what it was asked. */
class QueueDouble implements TaskQueue {
  readonly pushed: NewTask[] = [];
  readonly pops: PopRequest[] = [];
  readonly released: string[] = [];
  readonly givenBack: string[] = [];
  pushOutcome: PushOutcome = { outcome: 'queued', id: taskId, scheduleId: null, task: `{"id":"${taskId}"}` };
  task: string | null = `{"id":"${taskId}"}`;
  patchOutcome: PatchOutcome = { ok: true, task: '{}' };
  releaseOutcome: ReleaseOutcome = { outcome: 'unknown' };
  claim: (request: PopRequest) => Promise<readonly ClaimedTask[]> = () => Promise.resolve([]);

  push(_scheduler: string, tasks: readonly NewTask[]): Promise<readonly PushOutcome[]> {
    this.pushed.push(...tasks);
    return Promise.resolve([this.pushOutcome]);
  }

  pop(_scheduler: string, request: PopRequest): Promise<readonly ClaimedTask[]> {
    this.pops.push(request);
    return this.claim(request);
  }

  get(): Promise<string | null> {
    return Promise.resolve(this.task);
  }

  getHeld(): Promise<string | null> {
    return Promise.resolve(this.task);
  }

  patch(): Promise<readonly PatchOutcome[]> {
    return Promise.resolve([this.patchOutcome]);
  }

  heartbeat(): Promise<{ renewed: string[]; lost: string[] }> {
    return Promise.resolve({ renewed: [], lost: [] });
  }

  giveBack(claimed: readonly LeaseRef[]): Promise<void> {
    this.givenBack.push(...claimed.map(({ id }) => id));
    return Promise.resolve();
  }

  release(_scheduler: string, id: string): Promise<ReleaseOutcome> {
    this.released.push(id);
    return Promise.resolve(this.releaseOutcome);
  }
}

export const taskId = '6f0f3a57-3f0e-4c63-9d3c-1f6a3f9f4c11';

export const emptyLists: Pick<TaskLists, 'tasks' | 'stats'> = {
  tasks: () => Promise.resolve({ count: 0, partial: false, results: '[]', cutAt: null }),
  stats: () => Promise.resolve('{}'),
};

export const emptyBook: Omit<Schedules, 'search'> = {
  list: () => Promise.resolve({ count: 0, partial: false, results: '[]', cutAt: null }),
  get: () => Promise.resolve(null),
  create: () => Promise.resolve(null),
  patch: () => Promise.resolve(null),
  patchAll: () => Promise.resolve(new Set()),
  delete: () => Promise.resolve(false),
};

const noWeights: Weights = {
  list: () => Promise.resolve({ count: 0, results: '[]' }),
  set: (_scheduler, _organisation, weight) => Promise.resolve({ weight, before: 1 }),
};

const entries = [
  { id: 'boefje', type: 'boefje', itemType: 'BoefjeTask' },
  { id: 'normalizer', type: 'normalizer', itemType: 'NormalizerTask' },
  { id: 'report', type: 'report', itemType: 'ReportTask' },
];

export const threeSchedulers: Schedulers = {
  all: () => entries,
  find: (id) => entries.find((entry) => entry.id === id),
  activity: () => Promise.resolve(new Map()),
};

/** As where nothing is configured. */
export const openAccess: RestAccess = {
  tokens: [],
  tls: null,
  publicUrls: [],
  listens: '127.0.0.1',
  clientShare: 0.5,
};

export interface Served {
  readonly url: string;
  readonly queue: QueueDouble;
  readonly server: RestServer;
}

export async function serve(options: Partial<RestOptions> = {}): Promise<Served> {
  const queue = new QueueDouble();
  const server = await createRestServer({
    queue,
    lists: emptyLists,
    inspection: {
      standing: () => Promise.resolve([]),
      start: () => Promise.reject(new Error('no test asks for it')),
    },
    schedules: emptyBook,
    schedulers: threeSchedulers,
    operations: {
      weights: noWeights,
      run: () => Promise.reject(new Error('no test asks for it')),
      audit: (audit, by, fields) => (options.log ?? quietLog).info({ audit, by, ...fields }, 'audit'),
    },
    health: {
      version: '0.1.0',
      problems: () => Promise.resolve([]),
      externals: () => Promise.resolve({ katalogus: true, octopoes: true, bytes: true }),
      notReady: () => Promise.resolve([]),
    },
    metrics: { metrics: () => Promise.resolve('# HELP scheduler_qsize Size\n') },
    log: quietLog,
    now: () => new Date(),
    leaseMs: 86_400_000,
    access: openAccess,
    ...options,
  });
  return { url: await server.listen({ host: options.access?.listens ?? '127.0.0.1', port: 0 }), queue, server };
}
