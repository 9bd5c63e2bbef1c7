import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { inject } from 'vitest';

const run = promisify(execFile);

/** A RabbitMQ virtual host of a test file's own: the names of KAT's queues are fixed, so that files would meet in them. */
export async function createVhost(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test-${randomUUID()}`;
  await control('add_vhost', name);
  await control('set_permissions', '--vhost', name, 'guest', '.*', '.*', '.*');
  return { url: `${inject('amqpUrl')}/${name}`, drop: () => control('delete_vhost', name) };
}

async function control(...args: readonly string[]): Promise<void> {
  const { command, env } = inject('amqpControl');
  await run(command, [...args], { env });
}
