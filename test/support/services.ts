import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startNats } from '../../src/embedded/nats.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { postgresOf } from './postgres-majors.ts';
import { type Control, startRabbitmq } from './rabbitmq.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Postgres server (superuser); each test file makes a database of its own: database.ts. */
    postgresUrl: string;
    natsUrl: string;
    amqpUrl: string;
    /** rabbitmqctl for that server: vhost.ts. */
    amqpControl: Control;
  }
}

/** The settings that Rota needs, and no user: any client that knows the port can connect. */
export const openNats = fileURLToPath(new URL('../../docs/deploy/nats-server.conf', import.meta.url));

/** Starts the real services once for all integration tests. fsync is off here: tests ask what is stored, not whether power may fail. */
export default async function services(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'rota-test-'));
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };
  // Another major: make itest PG=15.
  const major = process.env['PG'];
  const binaries = major === undefined || major === '' ? {} : { binaries: await postgresOf(major) };
  const [postgres, nats, rabbitmq] = await Promise.all([
    startPostgres({ directory, settings, ...binaries }),
    // Open: many tests come in by a proxy's port. What `rota dev` starts is not (embedded-services.test.ts).
    startNats({ directory, config: openNats }),
    startRabbitmq(directory),
  ]);
  project.provide('postgresUrl', postgres.url);
  project.provide('natsUrl', nats.url);
  project.provide('amqpUrl', rabbitmq.url);
  project.provide('amqpControl', rabbitmq.control);
  return async () => {
    await Promise.allSettled([postgres.stop(), nats.stop(), rabbitmq.stop()]);
    await rm(directory, { recursive: true, force: true });
  };
}
