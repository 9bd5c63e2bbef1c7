import { expect, onTestFinished, test } from 'vitest';
import { healthOfServices } from '../../src/kat/http.ts';
import { createServiceClient } from '../../src/kat/request.ts';
import { z } from 'zod';
import { fakeTime, startDouble } from './http-double.ts';

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

/** What is put behind `http://`, and what must be asked for. */
const bases: readonly (readonly [string, string, string | undefined])[] = [
  ['HOST', '/health', undefined],
  ['HOST/', '/health', undefined],
  ['HOST/katalogus', '/katalogus/health', undefined],
  ['HOST/katalogus/', '/katalogus/health', undefined],
  ['HOST/kat/katalogus//', '/kat/katalogus/health', undefined],
  ['HOST/katalogus?tenant=a', '/katalogus/health?tenant=a', undefined],
  ['rota:s3cret@HOST', '/health', basic('rota:s3cret')],
  ['rota:p%40ss%2Fw%C3%B6rd@HOST/katalogus', '/katalogus/health', basic('rota:p@ss/wörd')],
  // As the URL parser of the clients takes it: what encodes nothing stays as it is.
  ['rota:100%secret%ff@HOST/katalogus', '/katalogus/health', basic('rota:100%secret%ff')],
];

test.each(bases)(
  'a service at %s is asked where its clients ask, and with their password',
  async (base, url, authorization) => {
    const double = await startDouble(({ headers }) =>
      headers.authorization === authorization ? { body: { service: 'katalogus', healthy: true } } : { status: 401 },
    );
    onTestFinished(double.stop);
    const at = `http://${base.replace('HOST', new URL(double.url).host)}`;
    expect(await healthOfServices({ katalogus: at, octopoes: undefined })).toEqual({ katalogus: true });
    const client = createServiceClient('katalogus', double.settings({ url: at }), fakeTime());
    await client.ask({ path: ['health'], answer: z.object({ healthy: z.literal(true) }) });
    const asked = double.received.map(({ path, query }) => (query.size === 0 ? path : `${path}?${query.toString()}`));
    expect(asked).toEqual([url, url]);
  },
);

test('a service that is not healthy, refuses, says nothing or is not there is not healthy', async () => {
  const answers = [
    { status: 503 },
    { body: { healthy: false } },
    { body: 'yes' },
    { status: 401, body: { healthy: true } },
  ];
  for (const answer of answers) {
    const double = await startDouble(() => answer);
    expect(await healthOfServices({ bytes: double.url })).toEqual({ bytes: false });
    await double.stop();
    expect(await healthOfServices({ bytes: double.url })).toEqual({ bytes: false });
  }
});
