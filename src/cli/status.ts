import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { wholeNumber } from './arguments.ts';
import { overviewOf, renderOverview } from './overview.ts';
import { print, remoteCommand, type RemoteOptions, withRota } from './remote.ts';
import { moment } from './table.ts';
import { screenOn, terminalWidth, write, writeJson } from './terminal.ts';

/** `rota status`: one look at everything. */
export function statusCommand(): Command {
  return remoteCommand(
    'status',
    'supervisors, queues, actors, event sources and services, as they are now',
    'rota status --nats nats://127.0.0.1:14222',
  ).action(async (options: RemoteOptions) => {
    const overview = await withRota(options, async (client) => overviewOf(client, await client.instances()));
    print(options, overview, (it) => renderOverview(it, terminalWidth()));
  });
}

interface TopOptions extends RemoteOptions {
  readonly interval: number;
  readonly frames?: number;
}

/** Looks between two searches for supervisors, which take a second each. */
const searchEvery = 10;

/** `rota top`: the status, live in a terminal; into a pipe one frame after the other. */
export function topCommand(): Command {
  return remoteCommand('top', 'the status, live; Ctrl-C ends it', 'rota top --interval 1')
    .addOption(new Option('--interval <seconds>', 'between looks').default(2).argParser(wholeNumber(1, 86_400)))
    .addOption(new Option('--frames <n>', 'end after so many').argParser(wholeNumber(1, 86_400)))
    .action(async (options: TopOptions) => {
      const interrupted = new AbortController();
      const stop = () => interrupted.abort();
      process.once('SIGINT', stop).once('SIGTERM', stop).once('SIGHUP', stop);
      // A pipe is read by a program or looked at later: one frame, unless it asks for more.
      const screen = options.json === true ? null : screenOn('out');
      const frames = options.frames ?? (terminalWidth() === null ? 1 : Number.POSITIVE_INFINITY);
      await withRota(options, async (client) => {
        let instances: string[] = [];
        for (let frame = 0; frame < frames && !interrupted.signal.aborted; frame += 1) {
          if (frame % searchEvery === 0) instances = await client.instances();
          const overview = await overviewOf(client, instances);
          const text = renderOverview(overview, terminalWidth());
          if (options.json === true) writeJson(overview);
          else if (screen === null) write(`${text}\n`);
          else screen.show(clipped(`${moment(new Date().toISOString())}\n\n${text}`, screen.rows));
          if (frame + 1 < frames) {
            await delay(options.interval * 1_000, undefined, { signal: interrupted.signal }).catch(() => {});
          }
        }
      });
      screen?.done();
    });
}

/** What does not fit is left out at the end, where what matters least stands; log-update would cut off the beginning. */
export function clipped(text: string, rows: number): string {
  const lines = text.split('\n');
  if (lines.length < rows) return text;
  const shown = Math.max(rows - 2, 1);
  return [...lines.slice(0, shown), `… ${lines.length - shown} more lines: a taller terminal, or rota status`].join(
    '\n',
  );
}
