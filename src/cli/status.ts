import Table from 'cli-table3';
import { Command } from 'commander';
import { connectRota } from '../nats/client.ts';

interface Status {
  readonly instance: string;
  readonly version: string;
  readonly rss_bytes: number;
  readonly actors: readonly {
    name: string;
    phase: string;
    restarts: number;
    lastFailure: { message: string } | null;
  }[];
  readonly waiters: Readonly<Record<string, number>>;
}

export function statusCommand(): Command {
  return new Command('status')
    .description('what a supervisor is doing: its actors, their restarts, parked pops')
    .option('--nats <url>', 'NATS of the supervisor', process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222')
    .option('--prefix <prefix>', 'subject prefix', process.env['SCHEDULER_NATS_PREFIX'] ?? 'rota')
    .option('--json', 'the answer as JSON')
    .addHelpText('after', '\nExample:\n  rota status --nats nats://127.0.0.1:14222')
    .action(async (options: { nats: string; prefix: string; json?: boolean }) => {
      const client = await connectRota({ servers: options.nats, prefix: options.prefix, name: 'rota status' });
      try {
        const status = await client.ctl<Status>('status');
        process.stdout.write(options.json ? `${JSON.stringify(status)}\n` : `${render(status)}\n`);
      } finally {
        await client.close();
      }
    });
}

function render(status: Status): string {
  const table = new Table({
    head: ['actor', 'state', 'restarts', 'parked pops', 'last failure'],
    style: { head: [], border: [] },
  });
  for (const actor of status.actors) {
    table.push([
      actor.name,
      actor.phase,
      actor.restarts,
      status.waiters[actor.name] ?? 0,
      actor.lastFailure?.message ?? '',
    ]);
  }
  const megabytes = Math.round(status.rss_bytes / 1024 / 1024);
  return `supervisor ${status.instance}, version ${status.version}, ${megabytes} MB\n${table.toString()}`;
}
