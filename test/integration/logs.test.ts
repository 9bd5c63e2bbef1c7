import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { addOrganisation, boefje, hostname, normalizer } from '../support/kat-world.ts';
import { type House, openHouse } from '../support/rota.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.stop());

type Line = Readonly<Record<string, unknown>>;

/** A supervisor in a process of its own, and every line that it writes. */
function startProcess(environment: Readonly<Record<string, string>>) {
  const entry = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const child = spawn(process.execPath, [entry, 'start'], {
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      SCHEDULER_DB_URI: house.databaseUrl,
      SCHEDULER_DB_CONNECTION_POOL_SIZE: '6',
      NATS_URL: inject('natsUrl'),
      SCHEDULER_NATS_PREFIX: `logs-${process.pid}`,
      QUEUE_URI: house.amqpUrl,
      KATALOGUS_API: house.kat.urls.katalogus,
      OCTOPOES_API: house.kat.urls.octopoes,
      BYTES_API: house.kat.urls.bytes,
      BYTES_USERNAME: house.kat.credentials.username,
      BYTES_PASSWORD: house.kat.credentials.password,
      SCHEDULER_API_HOST: '127.0.0.1',
      SCHEDULER_API_PORT: '0',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  return { child, lines };
}

test(
  'every line of a supervisor and its threads is JSON with mula’s fields, says what was decided, and holds no secret',
  { timeout: 90_000 },
  async () => {
    const { id: organisation } = addOrganisation(house.world, {
      plugins: [
        boefje('dns'),
        boefje('deep', { scan_level: 4 }),
        normalizer('dns-parser', { consumes: ['boefje/dns'] }),
      ],
    });
    const { child, lines } = startProcess({ SCHEDULER_LOGGING_FORMAT: 'json', DEBUG: 'true' });
    const host = hostname('logged.nl');
    await house.mutate(organisation, host);
    await house.receiveRawFile(organisation, host, {
      mimeTypes: ['boefje/dns'],
      environment: { API_KEY: 'hunter2' },
    });
    await house.publish('raw_file_received', { raw_data: { boefje_meta: { environment: { API_KEY: 'hunter2' } } } });
    const written = () => lines.map((line) => JSON.parse(line) as Line);
    const told = (line: Line) => expect.poll(written).toContainEqual(expect.objectContaining(line));
    await told({ level: 'debug', event: 'task queued', scheduler_id: 'boefje', organisation_id: organisation });
    await told({ level: 'debug', event: 'task queued', scheduler_id: 'normalizer', organisation_id: organisation });
    await told({
      level: 'debug',
      logger: 'rota.boefje',
      event: 'task declined',
      scheduler_id: 'boefje',
      organisation_id: organisation,
      boefje_id: 'deep',
      ooi_primary_key: host.reference,
      reason: 'scan-level-too-low',
    });
    await told({ level: 'error', event: 'event dead-lettered', stream: 'raw_file_received', code: 'INVALID_REQUEST' });
    child.kill('SIGTERM');
    await once(child, 'exit');
    await told({ level: 'info', logger: 'rota', event: 'drained' });
    for (const line of written()) {
      expect(line).toMatchObject({
        event: expect.any(String),
        level: expect.stringMatching(/^(?:debug|info|warning|error)$/),
        logger: expect.stringMatching(/^rota(?:\.(?:boefje|normalizer|report))?$/),
        timestamp: expect.stringMatching(/Z$/),
      });
    }
    const everything = lines.join('\n');
    expect(everything).not.toContain('hunter2');
    expect(everything).not.toContain(house.kat.credentials.password);
  },
);
