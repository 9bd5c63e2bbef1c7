import { randomUUID } from 'node:crypto';
import type { NatsConnection } from 'nats';
import type { ClientBudgets } from '../../src/nats/budgets.ts';
import { connectRota, type RotaClient, type TaskPush } from '../../src/nats/client.ts';
import { connectNats } from '../../src/nats/connect.ts';
import { commandRunner, type RunCommand } from '../../src/control/operator-command.ts';
import { type NatsService, serveNats } from '../../src/nats/service.ts';
import type { TaskQueue } from '../../src/queue/queue.ts';
import type { Task } from '../../src/tasks/task.ts';
import { quietLog } from './quiet-log.ts';

export function boefjeTask(organisation: string, ooi: string, boefje = 'dns-records'): TaskPush {
  return { organisation, data: { boefje: { id: boefje }, input_ooi: ooi, organization: organisation } };
}

/** As an operator sees it, without a lease. */
export async function taskOf(client: RotaClient, id: string): Promise<Task | null> {
  const { results } = await client.ctl<{ results: Task[] }>('task-details', { ids: [id] });
  return results[0] ?? null;
}

/** A service on `queue` with a prefix of its own, and a client of it. */
export async function startWire(options: {
  natsUrl: string;
  queue: TaskQueue;
  prefix?: string;
  instance?: string;
  ctl?: RunCommand;
  clients?: ClientBudgets;
}): Promise<Wire> {
  const prefix = options.prefix ?? `rota-${randomUUID()}`;
  const connection = await connectNats({ servers: options.natsUrl });
  const service = await serveNats({
    connection,
    prefix,
    instance: options.instance ?? 'one',
    version: '0.1.0',
    queue: options.queue,
    schedulers: [
      { id: 'boefje', type: 'boefje' },
      { id: 'report', type: 'report' },
      { id: 'normalizer', type: 'normalizer' },
    ],
    leaseMs: 60_000,
    longestLeaseMs: 3_600_000,
    ctl: options.ctl ?? commandRunner({}, () => {}),
    clients: options.clients ?? { pops: 2_000, filters: 100, requests: 4_000 },
    replyPrefixes: ['_INBOX'],
    log: quietLog,
  });
  const client = await connectRota({ servers: options.natsUrl, prefix });
  return {
    prefix,
    connection,
    service,
    client,
    async stop() {
      await service.drain(1_000);
      await client.close();
      await connection.close();
    },
  };
}

export interface Wire {
  readonly prefix: string;
  readonly connection: NatsConnection;
  readonly service: NatsService;
  readonly client: RotaClient;
  stop(): Promise<void>;
}
