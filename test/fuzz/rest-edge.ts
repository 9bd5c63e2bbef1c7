import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import * as fc from 'fast-check';
import { arbitraryOf, type World } from './arbitrary.ts';
import { latestAnswerMs, type Edge, judged, type Outcome, shortened } from './edge.ts';
import { hostileBytes, hostileString, jsonBytes } from './hostile.ts';

interface RestInput {
  readonly method: string;
  /** Path and query, as they go over the wire. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  readonly chunked: boolean;
  /** Bytes as they are, in place of all of this: half requests and what is no HTTP. */
  readonly raw?: string;
}

/** What /openapi.json says of one operation: it is made from the schemas that validate. */
interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema?: object }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: object }>> };
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

const longestWaitSeconds = 25;

/** Every operation of the API, by the description that it makes of itself. */
export async function restEdge(place: { readonly api: string; readonly world: World }): Promise<Edge<RestInput>> {
  const described = (await (await fetch(`${place.api}/openapi.json`)).json()) as { paths: Paths };
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const { hostname, port } = new URL(place.api);
  const address = { host: hostname, port: Number(port) };
  return {
    name: 'rest',
    inputs: inputsOf(described.paths, place.world),
    send: (input) => (input.raw === undefined ? exchange(agent, address, input) : trickle(address, input.raw)),
    show: ({ method, target, headers, body, raw }) =>
      raw === undefined
        ? [
            method,
            shortened(target, 200),
            JSON.stringify(headers) === plainHeaders ? '' : shortened(JSON.stringify(headers), 80),
            body === null ? '' : shortened(Buffer.from(body).toString('latin1')),
          ]
            .filter((text) => text !== '')
            .join(' ')
        : `raw ${shortened(raw)}`,
    async close() {
      agent.destroy();
    },
  };
}

const json = { 'content-type': 'application/json' };
const plainHeaders = JSON.stringify(json);

function inputsOf(paths: Paths, world: World): fc.Arbitrary<RestInput> {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => requestOf(method.toUpperCase(), path, operation, world)),
  );
  return fc.oneof(
    { weight: 20, arbitrary: fc.oneof(...operations) },
    { weight: 2, arbitrary: odd },
    { weight: 1, arbitrary: raw },
  );
}

function requestOf(method: string, path: string, operation: Operation, world: World): fc.Arbitrary<RestInput> {
  const parameters = operation.parameters ?? [];
  const steps = parameters.filter((it) => it.in === 'path');
  const queries = parameters.filter((it) => it.in === 'query');
  const schema = operation.requestBody?.content['application/json']?.schema;
  return fc
    .record({
      steps: fc.tuple(...steps.map((it) => stepOf(it.name, world))),
      query: fc.record(
        Object.fromEntries(
          queries.map((it) => [it.name, arbitraryOf(it.schema ?? { type: 'string' }, world, it.name)]),
        ),
        { requiredKeys: [] },
      ),
      body: schema === undefined ? fc.constant(null) : bodyOf(schema, world),
      headers: headers,
      chunked: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    })
    .map(({ steps: values, query, body, headers: given, chunked }) => {
      const filled = steps.reduce((text, it, at) => text.replace(`{${it.name}}`, wire(values[at]!)), path);
      return { method, target: filled + queryOf(query), headers: body === null ? {} : given, body, chunked };
    });
}

function stepOf(name: string, { vocabulary, ids }: World): fc.Arbitrary<string> {
  const known = vocabulary[name] ?? ids;
  return fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: hostileString });
}

function bodyOf(schema: object, world: World): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 12, arbitrary: arbitraryOf(schema, world).map(jsonBytes) },
    { weight: 1, arbitrary: hostileBytes },
  );
}

const headers: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 12, arbitrary: fc.constant(json) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Record<string, string>>(
      {},
      { 'content-type': 'text/plain', origin: 'http://elsewhere.example' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'application/json; charset=utf-16' },
      { 'content-type': '/'.repeat(4_000) },
      { ...json, 'content-encoding': 'gzip' },
      { ...json, authorization: `Bearer ${' '.repeat(3_000)}x` },
      { ...json, host: 'elsewhere.example\t' },
      { ...json, 'x-forwarded-host': 'elsewhere.example', 'x-forwarded-proto': 'javascript' },
      { ...json, traceparent: '0'.repeat(5_000) },
      { ...json, expect: '100-continue' },
    ),
  },
);

/** Node refuses to send what is no URL at all: bytes that it refuses are sent by `raw`. */
function wire(text: string): string {
  return encodeURIComponent(text.toWellFormed()).slice(0, 12_000) || '%20';
}

function queryOf(query: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(query).map(([name, value]) => {
    const given =
      name === 'wait' && typeof value === 'number' && value > 0 && value <= longestWaitSeconds ? value / 100 : value;
    return `${name}=${wire(typeof given === 'string' ? given : (JSON.stringify(given) ?? ''))}`;
  });
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`.slice(0, 14_000);
}

const slashes = fc
  .tuple(fc.constantFrom('/', '/.', '/%2f', '%20', '/../', '/a'), fc.constantFrom(0, 1, 10, 1_000, 4_000))
  .map(([unit, count]) => `${unit.repeat(count)}x`.slice(0, 15_000));

const odd: fc.Arbitrary<RestInput> = fc
  .record({
    method: fc.constantFrom('GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PATCH', 'POST'),
    target: fc.oneof(
      fc
        .tuple(fc.constantFrom('/', '/tasks/', '/x', '//', '/%2e%2e', '/;', '/schedulers/boefje'), slashes)
        .map(([path, more]) => path + more),
      fc.constantFrom(
        '/tasks?' + 'a=1&'.repeat(3_000),
        '/tasks?limit=1&limit[]=2',
        '/docs/../../etc/passwd',
        '/%',
        '/%ff',
        '/?',
      ),
      fc.constantFrom('/metrics', '/ready', '/health?externals=1', '/docs', '/openapi.json', '/__proto__', '*'),
    ),
  })
  .map(({ method, target }) => ({ method, target, headers: {}, body: null, chunked: false }));

const raw: fc.Arbitrary<RestInput> = fc
  .constantFrom(
    'GET /ready HTTP/1.1\r\n',
    'POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    'POST /tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n',
    'POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    'POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'GET /tasks HTTP/9.9\r\n\r\n',
    `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(5_000)}\r\n`,
    'GET /\u0000 HTTP/1.1\r\nHost: x\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000',
    'AMQP\u0000\u0000\u0009\u0001',
    'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  )
  .map((text) => ({ method: '', target: '', headers: {}, body: null, chunked: false, raw: text }));

interface Address {
  readonly host: string;
  readonly port: number;
}

function exchange(agent: Agent, address: Address, input: RestInput): Promise<Outcome> {
  const began = performance.now();
  const { method, target, headers: given, body, chunked } = input;
  const length = body === null || chunked ? {} : { 'content-length': String(body.length) };
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const failed = (fault: string) => resolve({ outcome: 'answered', ms: performance.now() - began, fault });
  const sent = request({ ...address, agent, method, path: target, headers: { ...given, ...length } }, (answer) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      if (bytes < 10_000) chunks.push(chunk);
      bytes += chunk.length;
    });
    answer.once('error', () => failed('the answer broke off'));
    answer.once('end', () => {
      const text = Buffer.concat(chunks).toString().slice(0, 10_000);
      const status = answer.statusCode ?? 0;
      resolve(judged({ status, text, bytes, ms: performance.now() - began, detail: text }));
    });
  });
  sent.setTimeout(latestAnswerMs, () => {
    failed('unanswered');
    sent.destroy();
  });
  // A client that sends a body that is too large may find the connection closed while it still writes: it was refused.
  sent.once('error', (error: NodeJS.ErrnoException) => {
    // A kept connection may be ended by the server just as a request is written on it: clients ask again (RFC 9112, 9.3.1).
    const ended = error.code === 'EPIPE' || error.code === 'ECONNRESET';
    if (sent.reusedSocket && ended) return resolve(exchange(agent, address, input));
    const midWay = ended && (body?.length ?? 0) > 1_000_000;
    if (midWay) resolve({ outcome: 'refused', ms: performance.now() - began });
    else failed(`no answer: ${error.code}`);
  });
  if (body !== null) sent.write(body);
  sent.end();
  return promise;
}

/** Whatever is no whole request: an answer, an end, or silence until we leave are all right; a 500 is not. */
function trickle(address: Address, text: string): Promise<Outcome> {
  const began = performance.now();
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let heard = '';
  const socket = connect(address, () => socket.write(Buffer.from(text, 'latin1')));
  const end = () => {
    const ms = performance.now() - began;
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1] ?? 0);
    resolve(
      status === 0
        ? { outcome: 'refused', ms }
        : judged({ status, text: heard, bytes: heard.length, ms, detail: heard.split('\r\n\r\n')[1] ?? '' }),
    );
    socket.destroy();
  };
  socket.on('data', (chunk) => (heard += chunk.toString('latin1').slice(0, 9_000)));
  socket.setTimeout(500, end);
  socket.once('close', end);
  socket.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED')
      resolve({ outcome: 'answered', ms: performance.now() - began, fault: 'no answer: ECONNREFUSED' });
    else end();
  });
  return promise;
}
