import { afterEach } from 'vitest';
import { createKatServices, type KatClients } from '../../src/kat/services.ts';
import type { Declined } from '../../src/kat/octopoes.ts';
import type { SkippedPlugin } from '../../src/kat/katalogus.ts';
import { fakeTime, type Received, type Reply, startDouble } from './http-double.ts';

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

/** All three services answered by one double, on a clock of its own. Ends with the test. */
export async function kat(answer: (request: Received) => Reply | Promise<Reply>): Promise<{
  services: KatClients;
  received: readonly Received[];
  time: ReturnType<typeof fakeTime>;
  skipped: readonly SkippedPlugin[];
  declined: readonly Declined[];
}> {
  const double = await startDouble(answer);
  const time = fakeTime();
  const skipped: SkippedPlugin[] = [];
  const declined: Declined[] = [];
  const settings = double.settings();
  const services = createKatServices(
    { katalogus: settings, octopoes: settings, bytes: settings, bytesUser: 'bytes', bytesPassword: 'pa55word' },
    time,
    { pluginSkipped: (one) => void skipped.push(one), declined: (one) => void declined.push(one) },
  );
  ends.push(() => services.close(), double.stop);
  return { services, received: double.received, time, skipped, declined };
}

/** A boefje as Katalogus answers it. */
export const boefje = {
  id: 'dns-records',
  name: 'DNS records',
  version: null,
  created: null,
  description: '…',
  enabled: true,
  static: true,
  type: 'boefje',
  scan_level: 1,
  consumes: ['Hostname'],
  produces: ['boefje/dns-records'],
  boefje_schema: null,
  cron: null,
  interval: 60,
  run_on: ['create'],
  runnable_hash: 'abc',
  oci_image: 'ghcr.io/minvws/openkat/generic:latest',
  oci_arguments: ['kat_dns.main'],
  deduplicate: true,
};

/** Answers plug-ins for whatever organisation it is asked about, as Katalogus does; `known` says which there are. */
export const katalogusWith =
  (known: () => readonly string[], plugins: (request: Received) => unknown) =>
  (request: Received): Reply =>
    request.path === '/v1/organisations'
      ? { body: Object.fromEntries(known().map((id) => [id, { id, name: id }])) }
      : { body: plugins(request) };
