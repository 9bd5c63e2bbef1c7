import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type OperatorPorts, operatorCommands } from '../../src/control/operations.ts';
import { eventSchemas } from '../../src/events/parse.ts';
import { subjectsOf } from '../../src/events/jetstream-streams.ts';
import { type EndpointName, type JsonSchema, jsonSchemaOf, requestSchemas } from '../../src/nats/requests.ts';
import { rawFileReceived, boefjeRun, scanProfileMutation } from '../../src/simulator/events.ts';
import { makeObject } from '../../src/simulator/world.ts';
import { boefjeData, normalizerData, reportData } from '../../src/tasks/data.ts';
import { eventStreams, taskStatuses } from '../../src/tasks/task.ts';

/** `src/rest/asyncapi.json`: every subject of Rota, from the schemas that validate; test/docs/asyncapi.test.ts keeps it. */

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const id = 'fd822b8d-58f1-4b30-a8d3-1ca11f6de745';
const lease_id = '0b8f8f5e-6a3e-4f0e-9a53-0f3f6f0d9a11';
const time = '2026-11-24T12:35:04.334059Z';
const timeText = z.string().meta({ format: 'date-time' });

const task = z.object({
  id: z.string().meta({ format: 'uuid' }),
  scheduler_id: z.string(),
  schedule_id: z.string().nullable(),
  organisation: z.string(),
  priority: z.int(),
  status: z.enum(taskStatuses),
  type: z.string(),
  hash: z.string().nullable(),
  data: z
    .record(z.string(), z.unknown())
    .describe('of a boefje, a normalizer, a report, or any object: the data of the task'),
  created_at: timeText,
  modified_at: timeText,
});
const leasedTask = task.extend({
  lease_id: z.string(),
  lease_until: timeText,
  attempts: z.int().describe('how often it was handed out, this time included'),
  traceparent: z.string().optional(),
});
const error = z.object({ error: z.object({ code: z.string(), status: z.int(), detail: z.string() }) });
const brief = z.object({ id: z.string(), status: z.enum(taskStatuses) });
const taskRef = z.looseObject({ id: z.string(), organisation: z.string() });
const ids = z.array(z.string());

const data = { boefje: { id: 'dns-records' }, input_ooi: 'Hostname|internet|mispo.es', organization: 'aa' };
const exampleTask = {
  id,
  scheduler_id: 'boefje',
  schedule_id: null,
  organisation: 'aa',
  priority: 1,
  status: 'queued',
  type: 'boefje',
  hash: '8d3acc45af4cef92c71dd256f841dd59',
  data,
  created_at: time,
  modified_at: time,
};
const leased = { ...exampleTask, status: 'dispatched', lease_id, lease_until: '2026-11-24T12:36:04.334Z', attempts: 1 };

interface Message {
  readonly title: string;
  readonly schema: JsonSchema;
  readonly example: unknown;
}

interface Endpoint {
  readonly address: string;
  readonly summary: string;
  readonly request: readonly unknown[];
  readonly reply: z.ZodType;
  readonly answer: unknown;
}

const taskOrBrief = z.union([task, brief]).describe('{id, status} where the task would exceed max_payload');

const endpoints: Readonly<Record<Exclude<EndpointName, 'ctl'>, Endpoint>> = {
  pop: {
    address: 'pop.{scheduler}',
    summary: 'Take tasks under a lease',
    request: [
      { limit: 1, wait_ms: 5_000, lease_ms: 60_000, worker: 'w1' },
      {},
      { patches: [{ id, lease_id, status: 'completed' }] },
    ],
    reply: z.object({ results: z.array(leasedTask), settled: z.array(z.union([brief, error])).optional() }),
    answer: { results: [leased] },
  },
  push: {
    address: 'push.{scheduler}',
    summary: 'Queue a task, or a set of them',
    request: [
      { id, organisation: 'aa', priority: 1, data },
      { tasks: [{ organisation: 'aa', data }] },
      { tasks: [{ organisation: 'aa', data }], brief: true },
    ],
    reply: z.union([task, brief, z.object({ results: z.array(z.union([task, brief, error])) })]),
    answer: exampleTask,
  },
  'task-get': {
    address: 'task.get',
    summary: 'A task that the lease holds, or held when it ended',
    request: [{ id, lease_id }],
    reply: taskOrBrief,
    answer: exampleTask,
  },
  'task-patch': {
    address: 'task.patch',
    summary: 'Report on a task, or on a set of them',
    request: [
      { id, lease_id, status: 'running' },
      { patches: [{ id, lease_id, status: 'failed', error: { code: 'no-route', message: 'no route to host' } }] },
    ],
    reply: z.union([task, brief, z.object({ results: z.array(z.union([brief, error])) })]),
    answer: { ...exampleTask, status: 'running' },
  },
  'task-heartbeat': {
    address: 'task.heartbeat',
    summary: 'Renew leases',
    request: [{ leases: [{ id, lease_id }], lease_ms: 60_000 }],
    reply: z.object({ renewed: ids, lost: ids }),
    answer: { renewed: [id], lost: [] },
  },
};

/** What is published, and by what. */
const published: Readonly<Record<string, { address: string; summary: string; schema: z.ZodType; example: unknown }>> = {
  'task-event': {
    address: 'event.{scheduler}.{event}',
    summary: 'What happened to tasks: the event is their new status, or `revoked`. At most once',
    schema: z.object({
      scheduler: z.string(),
      event: z.string(),
      at: timeText,
      via: z.enum(['nats', 'rest']).optional(),
      reason: z.string().optional(),
      tasks: z.array(taskRef),
    }),
    example: {
      scheduler: 'boefje',
      event: 'revoked',
      at: time,
      reason: 'boefje-disabled',
      tasks: [{ id, organisation: 'aa' }],
    },
  },
  wake: {
    address: 'wake.{scheduler}',
    summary: 'Between supervisors: so many tasks were pushed',
    schema: z.object({ instance: z.string(), count: z.int() }),
    example: { instance: '3d133a58', count: 2 },
  },
  left: {
    address: 'left.{instance}',
    summary: 'A supervisor ends; without a body',
    schema: z.null(),
    example: null,
  },
};

const object = makeObject({ domain: 'example', at: 0, address: 1 });
const run = boefjeRun({ id, boefje: 'dns-records', inputOoi: object.reference, organisation: 'aa', tookMs: 1_000 });
const ended = { started_at: '2026-11-24T12:35:03.000Z', ended_at: '2026-11-24T12:35:04.000Z' };
/** KAT's events, on JetStream and byte for byte the same on RabbitMQ. */
const katExamples: Readonly<Record<(typeof eventStreams)[number], unknown>> = {
  scan_profile_mutations: scanProfileMutation('aa', 'create', { ...object, level: 2, profile: 'declared' }),
  raw_file_received: {
    ...rawFileReceived(lease_id, { ...run, ...ended }, ['boefje/dns-records']),
    created_at: time,
  },
};

const ref = (path: string) => ({ $ref: `#/${path}` });

/** A command's own schema: its name, the role that it needs, and what it takes. */
function commands(): Readonly<Record<string, { access: string; schema: JsonSchema }>> {
  // Only names and schemas are read: a command touches its ports no sooner than it runs.
  const all = operatorCommands({ schedulerIds: [] } as unknown as OperatorPorts);
  const sorted = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, { access, body }]) => [name, { access, schema: jsonSchemaOf(body) }]));
}

export function asyncApi() {
  const messages: Record<string, Message> = {};
  const channels: Record<string, unknown> = {};
  const operations: Record<string, unknown> = {};
  const channel = (name: string, address: string, of: Readonly<Record<string, Message>>) => {
    Object.assign(messages, of);
    const parameters = [...address.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter!);
    channels[name] = {
      address: `{prefix}.${address}`,
      messages: Object.fromEntries(Object.keys(of).map((message) => [message, ref(`components/messages/${message}`)])),
      parameters: Object.fromEntries(
        ['prefix', ...parameters].map((one) => [one, ref(`components/parameters/${one}`)]),
      ),
    };
  };
  const schemas = requestSchemas();
  for (const [name, { address, summary, request, reply, answer }] of Object.entries(endpoints)) {
    channel(name, address, {
      [`${name}-request`]: {
        title: `${summary}: the request`,
        schema: schemas[name as EndpointName],
        example: request[0],
      },
    });
    channels[`${name}-reply`] = replyChannel(`${name}-reply`);
    messages[`${name}-reply`] = { title: `${summary}: the answer`, schema: jsonSchemaOf(reply), example: answer };
    operations[name] = requestOf(name, summary);
  }
  for (const [name, { access, schema }] of Object.entries(commands())) {
    channel(`ctl-${name}`, `ctl.${name}`, {
      [`ctl-${name}-request`]: { title: `Operators’ command ${name}`, schema, example: undefined },
    });
    operations[`ctl-${name}`] = {
      action: 'receive',
      summary: `Operators’ command ${name}, of the role ${access}`,
      channel: ref(`channels/ctl-${name}`),
      messages: [ref(`channels/ctl-${name}/messages/ctl-${name}-request`)],
    };
  }
  for (const [name, { address, summary, schema, example }] of Object.entries(published)) {
    channel(name, address, { [name]: { title: summary, schema: jsonSchemaOf(schema), example } });
    operations[name] = { action: 'send', summary, channel: ref(`channels/${name}`) };
  }
  for (const stream of eventStreams) {
    const name = `kat-${stream}`;
    const address = subjectsOf('').main(stream).slice(1);
    channel(name, address, {
      [name]: {
        title: `KAT’s event ${stream}, on JetStream`,
        schema: jsonSchemaOf(eventSchemas[stream]),
        example: katExamples[stream],
      },
    });
    operations[name] = { action: 'receive', summary: `KAT’s event ${stream}`, channel: ref(`channels/${name}`) };
  }
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Rota over NATS',
      version,
      description:
        'Bodies are JSON. An error has the headers `Nats-Service-Error-Code` and `Nats-Service-Error`, and the body `{"error":{"code","status","detail"}}`. docs/workers.md says how to work with it.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: { nats: { host: 'localhost:4222', protocol: 'nats', description: 'NATS_URL' } },
    channels,
    operations,
    components: {
      parameters: {
        prefix: { description: 'SCHEDULER_NATS_PREFIX', default: 'rota' },
        scheduler: { description: '`boefje`, `normalizer`, `report`, or one of your own' },
        event: { description: 'a status of a task, or `revoked`', enum: [...taskStatuses, 'revoked'] },
        instance: { description: 'a supervisor, of `rota status`' },
      },
      schemas: {
        'boefje-data': jsonSchemaOf(boefjeData),
        'normalizer-data': jsonSchemaOf(normalizerData),
        'report-data': jsonSchemaOf(reportData),
        error: jsonSchemaOf(error),
      },
      messages: Object.fromEntries(
        Object.entries(messages).map(([name, { title, schema, example }]) => [
          name,
          { title, payload: schema, ...(example === undefined ? {} : { examples: [{ payload: example }] }) },
        ]),
      ),
    },
  };
}

function requestOf(name: string, summary: string) {
  return {
    action: 'receive',
    summary,
    channel: ref(`channels/${name}`),
    messages: [ref(`channels/${name}/messages/${name}-request`)],
    reply: {
      address: { location: '$message.header#/reply', description: 'the inbox that the request names' },
      channel: ref(`channels/${name}-reply`),
      messages: [ref(`channels/${name}-reply/messages/${name}-reply`)],
    },
  };
}

function replyChannel(message: string) {
  return { address: null, messages: { [message]: ref(`components/messages/${message}`) } };
}

/** Every request that the document's reader may send, by endpoint. */
export const requestExamples = Object.fromEntries(
  Object.entries(endpoints).map(([name, { request }]) => [name, request]),
);
