import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { CircuitState } from '../../src/kat/resilience.ts';
import { createServiceClient, type ServiceSettings } from '../../src/kat/request.ts';
import { fakeTime, type Reply, startDouble } from './http-double.ts';

type Double = Awaited<ReturnType<typeof startDouble>>;
const doubles: Double[] = [];

afterEach(async () => {
  await Promise.all(doubles.splice(0).map((double) => double.stop()));
});

async function doubleOf(...args: Parameters<typeof startDouble>): Promise<Double> {
  const double = await startDouble(...args);
  doubles.push(double);
  return double;
}

/** Answers one reply after the other, the last one always. */
async function scripted(...replies: Reply[]): Promise<Double> {
  let at = 0;
  return doubleOf(() => replies[Math.min(at++, replies.length - 1)]!);
}

const answer = z.object({ healthy: z.boolean() });
const healthy: Reply = { body: { healthy: true } };

function clientOf(settings: ServiceSettings) {
  const time = fakeTime();
  const states: CircuitState[] = [];
  const client = createServiceClient('katalogus', settings, time, (state) => states.push(state));
  const ask = (path = ['health']) => client.ask({ path, answer });
  return { client, ask, time, states };
}

describe('a request to a service of KAT', () => {
  test('is tried again with growing pauses after 500 and 503, and then succeeds', async () => {
    const double = await scripted({ status: 500 }, { status: 503 }, healthy);
    const { ask, time } = clientOf(double.settings());
    expect(await ask()).toEqual({ ok: true, value: { healthy: true } });
    expect(time.slept).toEqual([250, 1_000]);
  });

  test('waits as long as a busy service asks for, within reason', async () => {
    const double = await scripted(
      { status: 429, headers: { 'retry-after': '3' } },
      { status: 429, headers: { 'retry-after': '3600' } },
      healthy,
    );
    const { ask, time } = clientOf(double.settings());
    await ask();
    expect(time.slept).toEqual([3_000, 5_000]);
  });

  test('ends as SERVICE_UNAVAILABLE, retryable, when every try failed', async () => {
    const double = await scripted({ status: 502 });
    const { ask, client } = clientOf(double.settings());
    await expect(ask()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retryable: true,
      message: 'katalogus answered 502 to GET /health',
    });
    expect(double.received).toHaveLength(3);
    expect(client.status().lastError).toContain('502');
  });

  test('goes where a proxy sends it, and takes its credentials to no other host', async () => {
    const elsewhere = await scripted(healthy);
    const double = await doubleOf(({ path }) => {
      if (path === '/health') return { status: 308, headers: { location: '/moved' } };
      return { status: 307, headers: { location: `${elsewhere.url}/health` } };
    });
    const { ask } = clientOf(double.settings({ url: double.url.replace('//', '//ann:secret@') }));
    expect(await ask()).toEqual({ ok: true, value: { healthy: true } });
    expect(double.received.map(({ path, headers }) => [path, headers.authorization])).toEqual(
      ['/health', '/moved'].map((path) => [path, expect.stringMatching(/^Basic /)]),
    );
    expect(elsewhere.received.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test.each([
    ['/circle', { status: 302, headers: { location: '/circle' } }, 'redirected in a circle, or to no http URL'],
    [
      '/file',
      { status: 302, headers: { location: 'file:///etc/passwd' } },
      'redirected in a circle, or to no http URL',
    ],
    ['/zipped', { headers: { 'content-encoding': 'gzip' }, body: 'zipped' }, 'compressed, which was not asked for'],
  ] as const)(
    'that a proxy spoils (%s) is an outage, and no fault of what was asked about',
    async (path, reply, why) => {
      const double = await scripted(reply);
      const { ask } = clientOf(double.settings());
      await expect(ask([path.slice(1)])).rejects.toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
        message: expect.stringContaining(why),
      });
    },
  );

  test('that is sent on and on is an outage, and so is a redirect that names no place', async () => {
    let steps = 0;
    const double = await doubleOf(({ path }) => {
      steps += 1;
      return path === '/health' ? { status: 302 } : { status: 302, headers: { location: `/on/${steps}` } };
    });
    const { ask } = clientOf(double.settings());
    await expect(ask()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('a redirect to nowhere'),
    });
    await expect(ask(['on'])).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('redirected more than 20 times'),
    });
  });

  test('says who asks, and asks for no compression', async () => {
    const double = await scripted(healthy);
    await clientOf(double.settings()).ask();
    expect(double.received[0]!.headers).toMatchObject({ 'user-agent': 'rota', 'accept-encoding': 'identity' });
  });

  test('is never tried again after a 4xx, and says why', async () => {
    const double = await scripted({ status: 400, body: { detail: 'Unknown type Hostnam' } });
    const { ask } = clientOf(double.settings());
    await expect(ask()).rejects.toMatchObject({
      code: 'SERVICE_REJECTED',
      message: 'katalogus answered 400 to GET /health: Unknown type Hostnam',
      fields: { service: 'katalogus', path: '/health', status: 400 },
    });
    expect(double.received).toHaveLength(1);
  });

  test('that does not fit names the service, the path and the field', async () => {
    const double = await scripted({ body: { healthy: 'yes' } });
    const { ask } = clientOf(double.settings());
    await expect(ask()).rejects.toMatchObject({
      code: 'SERVICE_REJECTED',
      message: expect.stringMatching(/katalogus answered GET \/health not as agreed: healthy: .*boolean/),
      fields: { service: 'katalogus', path: '/health', field: 'healthy' },
    });
    expect(double.received).toHaveLength(1);
  });

  test('that is not JSON is rejected, not taken for an outage', async () => {
    const double = await scripted({ body: '<html>proxy</html>' });
    const { ask, client } = clientOf(double.settings());
    await expect(ask()).rejects.toMatchObject({
      code: 'SERVICE_REJECTED',
      message: expect.stringContaining('not JSON'),
    });
    expect(client.status().circuit).toBe('closed');
  });

  test.for([{ detail: 'Not Found' }, '<html>404</html>', ''])(
    'that meets no route (%j) is an outage, whatever is asked for: nothing is said to be gone',
    async (body) => {
      const double = await scripted({ status: 404, body });
      const { client } = clientOf(double.settings());
      await expect(client.ask({ path: ['aa'], answer, declines: [404] })).rejects.toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
        message: expect.stringContaining('answered GET /aa as if it had no such route'),
      });
    },
  );

  test.for([{ detail: 'Plugin not found' }, { value: 'Hostname|internet|a' }, { message: 'gone' }])(
    'that is declined in its own words (%j) has its answer',
    async (body) => {
      const double = await scripted({ status: 404, body });
      const { client } = clientOf(double.settings());
      expect(await client.ask({ path: ['aa'], answer, declines: [404] })).toEqual({ ok: false, status: 404 });
    },
  );

  test('ends in time when the service never answers', async () => {
    const double = await doubleOf(() => null);
    const { ask } = clientOf(double.settings({ timeoutMs: 30 }));
    await expect(ask()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: 'katalogus did not answer GET /health within 30 ms',
    });
  });

  test('ends in time when the head comes and the body never ends', async () => {
    const double = await doubleOf((_request, response) => {
      response.writeHead(200);
      response.write('{"healthy":');
      return null;
    });
    const { ask } = clientOf(double.settings({ timeoutMs: 30 }));
    await expect(ask()).rejects.toMatchObject({ message: expect.stringContaining('within 30 ms') });
  });

  test('survives a connection that is cut in the middle of an answer', async () => {
    let calls = 0;
    const double = await doubleOf((_request, response) => {
      calls += 1;
      if (calls > 1) return healthy;
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"heal', () => response.destroy());
      return null;
    });
    expect(await clientOf(double.settings()).ask()).toMatchObject({ ok: true });
  });

  test('to a port without a listener is an outage that names the reason', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => free.once('listening', resolve));
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    const { ask } = clientOf({ url: `http://127.0.0.1:${port}`, timeoutMs: 1_000, connections: 1 });
    await expect(ask()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('encodes what is in a path, and refuses what would leave it', async () => {
    const double = await scripted(healthy);
    const { ask } = clientOf(double.settings({ url: `${double.url}/katalogus/` }));
    await ask(['v1', 'organisations', 'a/b?c#d', 'plugins', 'e f%']);
    expect(double.received[0]!.path).toBe('/katalogus/v1/organisations/a%2Fb%3Fc%23d/plugins/e%20f%25');
    await expect(ask(['v1', 'organisations', '..'])).rejects.toMatchObject({ code: 'SERVICE_REJECTED' });
    expect(double.received).toHaveLength(1);
  });

  test('sends the password of its URL as basic authentication and never shows it', async () => {
    const double = await scripted({ status: 500 });
    const { ask } = clientOf(double.settings({ url: double.url.replace('//', '//rota:s3cret@') }));
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(double.received[0]!.headers.authorization).toBe(`Basic ${Buffer.from('rota:s3cret').toString('base64')}`);
    expect(JSON.stringify([error, (error as Error).message, (error as Error).cause])).not.toContain('s3cret');
  });
});

test('no more requests are in flight than a service has connections', async () => {
  const waiting: ((reply: Reply) => void)[] = [];
  let most = 0;
  const arrived = Promise.withResolvers<void>();
  const double = await doubleOf(
    () =>
      new Promise<Reply>((resolve) => {
        waiting.push(resolve);
        most = Math.max(most, waiting.length);
        if (waiting.length === 3) arrived.resolve();
      }),
  );
  const { ask, client } = clientOf(double.settings({ connections: 3 }));
  const answers = Promise.all(Array.from({ length: 12 }, () => ask()));
  await arrived.promise;
  expect(client.status().inFlight).toBe(3);
  const drain = setInterval(() => waiting.shift()?.(healthy), 1);
  await answers;
  clearInterval(drain);
  expect(most).toBe(3);
  expect(double.received).toHaveLength(12);
});

describe('a service that is down', () => {
  test('is left alone after five failures, fails at once, and comes back with one probe', async () => {
    let down = true;
    const double = await doubleOf(() => (down ? { status: 503 } : healthy));
    const { ask, time, states } = clientOf(double.settings());
    await expect(ask()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await expect(ask()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(double.received).toHaveLength(5);
    await expect(ask()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retryable: true,
      message: expect.stringMatching(/not asked for now.*answered 503/),
    });
    expect(double.received).toHaveLength(5);

    down = false;
    time.advance(2_000);
    expect(await ask()).toMatchObject({ ok: true });
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });

  test.for([422, 500])('is not held for down because it answers %i to some requests', async (status) => {
    const double = await scripted({ status });
    const { ask, client } = clientOf(double.settings());
    for (let i = 0; i < 10; i += 1) await ask().catch(() => {});
    expect(client.status().circuit).toBe('closed');
  });
});
