import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { SimulatedOrganisation } from '../../src/simulator/world.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { PassedFiles } from '../support/passed-files.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { targets } from '../support/targets.ts';

interface Held {
  readonly id: string;
  readonly lease_id: string;
}

const passed = new PassedFiles();
let house: House;
let rota: TestRota;
let nats: NatsConnection;
let organisation: SimulatedOrganisation;

beforeAll(async () => {
  // Before the actors' threads start, which it attaches to.
  await passed.start();
  house = await openHouse();
  rota = await house.start();
  organisation = addOrganisation(house.world, { plugins: [boefje('dns')] });
  nats = await connect({ servers: inject('natsUrl') });
});
afterAll(async () => {
  passed.stop();
  await nats.close();
  await house.stop();
});

/** Of an object that is new, so that no look for new boefjes has queued its task before. */
async function mutate(): Promise<void> {
  const host = hostname(`host-${organisation.objects.size}.example`);
  organisation.objects.set(host.reference, host);
  const queued = next('tasks.queued');
  await house.mutate(organisation.id, host);
  await queued;
}

/** Past Rota's own client, whose files are not on the supervisor's side. */
async function ask<T extends object>(subject: string, body: object): Promise<T> {
  const answer = await nats.request(`${house.prefix}.${subject}`, JSON.stringify(body), { timeout: 10_000 });
  expect(answer.headers?.get('Nats-Service-Error') ?? '').toBe('');
  return answer.json<T>();
}

async function pop(): Promise<Held> {
  const { results } = await ask<{ results: Held[] }>('pop.boefje', { worker: 'w' });
  return results[0]!;
}

/** The edge does the same for each request over NATS; of a queued task it only notifies others. */
const behindTheEdge = (files: readonly string[]) => files.filter((path) => !path.startsWith('src/nats/'));

function expectAtMost(way: 'mutation' | 'pop' | 'settle' | 'list' | 'explain', files: readonly string[]): void {
  expect(files.length, `${way}: it passes nothing that is known`).toBeGreaterThan(5);
  expect(files.length, `${way} passes ${files.length} files:\n${files.join('\n')}\n`).toBeLessThanOrEqual(
    targets[way].now,
  );
}

test('a mutation, a pop and a settlement pass no more files than they did', async () => {
  const mutation = await passed.during(mutate);
  expect(mutation).toEqual(expect.arrayContaining([expect.stringMatching(/^actors\/boefje\//)]));
  expectAtMost('mutation', behindTheEdge(mutation));
  const held: Held[] = [];
  expectAtMost('pop', behindTheEdge(await passed.during(async () => held.push(await pop()))));
  const settle = () => {
    const { id, lease_id } = held.pop()!;
    return ask('task.patch', { id, lease_id, status: 'completed' });
  };
  expectAtMost('settle', behindTheEdge(await passed.during(settle)));
});

test('a list with filters, and an explanation, pass no more files than they did', async () => {
  await mutate();
  const filters = { filters: [{ column: 'organisation', operator: '==', value: organisation.id }] };
  const list = async () => {
    const { status } = await rota.ask('POST', '/tasks?scheduler_id=boefje&limit=10', filters);
    expect(status).toBe(200);
  };
  expectAtMost('list', await passed.during(list));
  const [ooi] = organisation.objects.keys();
  const explain = () => ask('ctl.explain', { organisation: organisation.id, boefje: 'dns', ooi });
  expectAtMost('explain', behindTheEdge(await passed.during(explain)));
});
