import * as fc from 'fast-check';
import { headers, type NatsConnection, NatsError } from 'nats';
import type { z } from 'zod';
import { connectNats } from '../../src/nats/connect.ts';
import {
  getBody,
  heartbeatBody,
  patchBody,
  patchSetBody,
  popBody,
  pushSetBody,
  taskBody,
} from '../../src/nats/requests.ts';
import { operatorCommands, type OperatorPorts } from '../../src/control/operations.ts';
import { arbitraryOf, type World } from './arbitrary.ts';
import { latestAnswerMs, type Edge, type EdgeName, judged, type Outcome, shortened } from './edge.ts';
import { hostileBytes, hostileString, jsonBytes } from './hostile.ts';

interface NatsInput {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: readonly (readonly [string, string])[];
  /** In place of an inbox; '' for none at all. */
  readonly reply: string | null;
}

const bodies: readonly (readonly [string, readonly z.ZodType[]])[] = [
  ['pop.boefje', [popBody]],
  ['pop.report', [popBody]],
  ['pop.__proto__', [popBody]],
  ['push.boefje', [taskBody, pushSetBody]],
  ['push.normalizer', [taskBody]],
  ['task.get', [getBody]],
  ['task.patch', [patchBody, patchSetBody]],
  ['task.heartbeat', [heartbeatBody]],
];

/** `drain` ends the supervisor, and `heap` fills the disk: both are what an operator asks for. */
const leftOut = new Set(['drain', 'heap']);

/** Subjects that the supervisor may publish on and a worker may not. `#` makes each one of its kind. */
const foreignReplies = [
  '$JS.API.STREAM.PURGE.fuzz-#',
  '$JS.API.STREAM.DELETE.fuzz-#',
  '$JS.ACK.fuzz-#.1.1.1.1.1.1',
  '$SRV.PING.fuzz-#',
  '<prefix>.kat.fuzz-#',
  '<prefix>.event.boefje.fuzz-#',
  '<prefix>.wake.fuzz-#',
  '<prefix>.ctl.fuzz-#',
  '<prefix>.task.fuzz-#',
  'fuzz-#',
];

/** Beside headers, in a message of 1 MiB. */
const largestForeign = 1_000_000;

/** Requests of workers, or of operators, by the schemas of each subject. */
export async function natsEdge(
  name: EdgeName & ('nats' | 'ctl'),
  place: { readonly natsUrl: string; readonly prefix: string; readonly world: World; readonly connections: number },
): Promise<Edge<NatsInput>> {
  const { natsUrl, prefix, world } = place;
  const connect = (at: number) => connectNats({ servers: natsUrl, name: `fuzz-${name}-${at}` });
  const connections = await Promise.all(Array.from({ length: place.connections }, (_, at) => connect(at)));
  const listener = await connectNats({ servers: natsUrl, name: 'fuzz-listener' });
  const asked = new Map<string, string>();
  const forged = new Map<string, string>();
  listener.subscribe('>', {
    callback: (_error, message) => {
      const [, number] = /fuzz-(\d+)/.exec(message.subject) ?? [];
      if (number === undefined || message.subject.startsWith('_INBOX')) return;
      const by = asked.get(number);
      const on = kindOf(message.subject);
      // The other edge has a listener of its own.
      if (by !== undefined && !forged.has(on))
        forged.set(on, `published on ${on} for a request to ${by} that named it as its inbox`);
    },
  });
  await listener.flush();
  let sent = 0;

  const send = async (input: NatsInput): Promise<Outcome> => {
    sent += 1;
    const connection = connections[sent % connections.length]!;
    if (input.reply === null) return ask(connection, prefix, input);
    const reply = input.reply.replace('#', String(sent)).replace('<prefix>', prefix);
    asked.set(String(sent), kindOf(input.subject));
    const began = performance.now();
    // The client itself refuses what no server takes.
    if (input.payload.length > largestForeign) return { outcome: 'unawaited', ms: 0 };
    connection.publish(`${prefix}.${input.subject}`, input.payload, {
      headers: headersOf(input.headers),
      ...(reply === '' ? {} : { reply }),
    });
    // The order of a connection: what was published before this answer has reached the server.
    await connection.flush();
    return { outcome: 'unawaited', ms: performance.now() - began };
  };
  return {
    name,
    inputs: inputsOf(name, world),
    send,
    show: ({ subject, payload, headers: given, reply }) =>
      [
        subject,
        shortened(Buffer.from(payload).toString('latin1')),
        given.length === 0 ? '' : `headers ${shortened(JSON.stringify(given), 80)}`,
        reply === null ? '' : `reply ${reply === '' ? 'none' : reply}`,
      ]
        .filter((text) => text !== '')
        .join(' '),
    async atEnd() {
      await listener.flush();
      return [...forged.values()];
    },
    async close() {
      await Promise.all([...connections, listener].map((connection) => connection.close()));
    },
  };
}

function inputsOf(name: 'nats' | 'ctl', world: World): fc.Arbitrary<NatsInput> {
  const subjects = name === 'nats' ? bodies : ctlBodies();
  const requests = subjects.flatMap(([subject, schemas]) =>
    schemas.map((schema) => fc.tuple(fc.constant(subject), bodyOf(schema, world))),
  );
  const headerText = hostileString.map((text) => text.slice(0, 2_000).replaceAll(/[^\x20-\x7E]/g, '?'));
  const headerNames = fc.constantFrom('Rota-By', 'traceparent', 'Nats-Msg-Id', 'Nats-Rollup', 'X');
  const reply = fc.oneof(
    { weight: 30, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom('', ...foreignReplies) },
  );
  return fc
    .tuple(fc.oneof(...requests), fc.array(fc.tuple(headerNames, headerText), { maxLength: 1 }), reply)
    .map(([[subject, payload], given, to]) => ({ subject, payload, headers: given, reply: to }));
}

/** Every command there is, by the schema that checks it. */
function ctlBodies(): readonly (readonly [string, readonly z.ZodType[]])[] {
  // Only names and schemas are read: a command touches its desk no sooner than it runs.
  const commands = operatorCommands({ schedulerIds: [] } as unknown as OperatorPorts);
  return Object.entries(commands).flatMap(([name, { body }]) => (leftOut.has(name) ? [] : [[`ctl.${name}`, [body]]]));
}

function bodyOf(schema: z.ZodType, world: World): fc.Arbitrary<Uint8Array> {
  const fitting = arbitraryOf(schema, world).map((value) => jsonBytes(patient(value)));
  return fc.oneof({ weight: 12, arbitrary: fitting }, { weight: 1, arbitrary: hostileBytes });
}

/** A pop that may wait for minutes would hold a run up for minutes: it waits for a third of a second at most. */
function patient(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('wait_ms' in value)) return value;
  const waitMs = value.wait_ms;
  // Whatever is taken, however large: the rest is refused as it is.
  return Number.isSafeInteger(waitMs) && (waitMs as number) > 300
    ? { ...value, wait_ms: (waitMs as number) % 300 }
    : value;
}

/** One request with a documented inbox, to its answer. */
async function ask(connection: NatsConnection, prefix: string, input: NatsInput): Promise<Outcome> {
  const began = performance.now();
  try {
    const reply = await connection.request(`${prefix}.${input.subject}`, input.payload, {
      timeout: latestAnswerMs,
      headers: headersOf(input.headers),
    });
    const ms = performance.now() - began;
    const status = Number(reply.headers?.get('Nats-Service-Error-Code') || 200);
    const text = Buffer.from(reply.data.subarray(0, 10_000)).toString();
    return judged({
      status,
      text,
      bytes: reply.data.length,
      ms,
      detail: reply.headers?.get('Nats-Service-Error') ?? '',
    });
  } catch (error) {
    const ms = performance.now() - began;
    const code = error instanceof NatsError ? error.code : String(error);
    // The client itself refuses to send it.
    if (code === 'MAX_PAYLOAD_EXCEEDED') return { outcome: 'unawaited', ms };
    return { outcome: 'answered', ms, fault: code === 'TIMEOUT' ? 'unanswered' : `no answer: ${code}` };
  }
}

function headersOf(given: NatsInput['headers']) {
  const made = headers();
  for (const [key, value] of given) made.set(key, value);
  return made;
}

/** Its first two tokens, numbers aside. */
function kindOf(subject: string): string {
  return subject.replace(/^.*?\.(?=kat|event|wake|ctl|task|pop|push)/, '').replaceAll(/fuzz-\d+/g, '…');
}
