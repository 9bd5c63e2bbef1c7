import { afterEach } from 'vitest';
import { createKatServices, type KatClients } from '../../src/kat/services.ts';
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
}> {
  const double = await startDouble(answer);
  const time = fakeTime();
  const skipped: SkippedPlugin[] = [];
  const settings = double.settings();
  const services = createKatServices(
    { katalogus: settings, octopoes: settings, bytes: settings, bytesUser: 'bytes', bytesPassword: 'pa55word' },
    time,
    { pluginSkipped: (one) => void skipped.push(one) },
  );
  ends.push(() => services.close(), double.stop);
  return { services, received: double.received, time, skipped };
}
