import type { Command } from 'commander';
import { situationOf } from '../control/findings.ts';
import { renderOverview } from './overview.ts';
import { operators, print, remoteCommand, type RemoteOptions, withRota } from './remote.ts';
import { terminalWidth } from './terminal.ts';

export function statusCommand(): Command {
  return remoteCommand(
    'status',
    'supervisors, queues, actors, event sources and services, as they are now',
    'rota status --nats nats://127.0.0.1:14222',
  ).action(async (options: RemoteOptions) => {
    const { overview, findings } = await withRota(options, async (client) =>
      situationOf(operators(client), await client.instances()),
    );
    print(options, { ...overview, findings }, () => renderOverview(overview, terminalWidth(), findings));
  });
}
