import { afterEach, expect, test } from 'vitest';
import { createKatServices, type KatSettings } from '../../src/kat/services.ts';
import { fakeTime, startDouble } from './http-double.ts';

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const unset: KatSettings = { katalogus: null, octopoes: null, bytes: null, bytesUser: null, bytesPassword: null };

test('an outage of one service leaves the others alone', async () => {
  const double = await startDouble(({ path }) => (path === '/v1/organisations' ? { body: {} } : { status: 502 }));
  const circuits: string[] = [];
  const services = createKatServices(
    { ...unset, katalogus: double.settings(), octopoes: double.settings() },
    fakeTime(),
    { circuitChanged: (service, state) => void circuits.push(`${service} ${state}`) },
  );
  ends.push(() => services.close(), double.stop);
  for (let i = 0; i < 3; i += 1) await services.octopoes.objectsByReference('aa', ['x']).catch(() => {});
  expect(circuits).toEqual(['octopoes open']);
  expect(await services.katalogus.organisations()).toEqual(new Map());
  expect(services.status()).toMatchObject([
    { service: 'katalogus', circuit: 'closed' },
    { service: 'octopoes', circuit: 'open', lastError: expect.stringContaining('502') },
  ]);
});

test('a service that is not set says which variable is missing', async () => {
  const { katalogus, octopoes, bytes } = createKatServices(unset, fakeTime());
  const lastRun = { organisation: 'aa', boefje: 'x', inputOoi: null };
  const missing = (variable: string) => ({ code: 'SERVICE_UNAVAILABLE', message: `${variable} is not set` });
  await expect(katalogus.plugins('aa')).rejects.toMatchObject(missing('KATALOGUS_API'));
  await expect(Array.fromAsync(octopoes.objects('aa', { types: ['x'], scanLevels: [1] }))).rejects.toMatchObject(
    missing('OCTOPOES_API'),
  );
  await expect(bytes.lastRun(lastRun)).rejects.toMatchObject(missing('BYTES_API'));
  const nameless = createKatServices(
    { ...unset, bytes: { url: 'http://127.0.0.1:1', timeoutMs: 1, connections: 1 } },
    fakeTime(),
  );
  await expect(nameless.bytes.lastRun(lastRun)).rejects.toMatchObject(missing('BYTES_USERNAME'));
});

test('closing ends what is in flight', async () => {
  const asked = Promise.withResolvers<void>();
  const double = await startDouble(() => {
    asked.resolve();
    return null;
  });
  ends.push(double.stop);
  const services = createKatServices({ ...unset, katalogus: double.settings() }, fakeTime());
  const answer = services.katalogus.organisations();
  await asked.promise;
  await services.close();
  await expect(answer).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
});
