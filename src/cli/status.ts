import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { wholeNumber } from './arguments.ts';
import { overviewOf } from '../control/overview.ts';
import { renderOverview } from './overview.ts';
import { operators, print, remoteCommand, type RemoteOptions, withRota } from './remote.ts';
import { moment } from '../control/wording.ts';
import { screenOn, terminalWidth, write, writeJson } from './terminal.ts';

export function statusCommand(): Command {
  return remoteCommand(
    'status',
    'supervisors, queues, actors, event sources and services, as they are now',
    'rota status --nats nats://127.0.0.1:14222',
  ).action(async (options: RemoteOptions) => {
    const overview = await withRota(options, async (client) => overviewOf(operators(client), await client.instances()));
    print(options, overview, (it) => renderOverview(it, terminalWidth()));
  });
}

interface TopOptions extends RemoteOptions {
  readonly interval: number;
  readonly frames?: number;
}

/** Frames between two searches for supervisors; a search takes a second. */
const searchEvery = 10;

/** `rota top`: refreshes the status on a terminal; writes frame after frame into a pipe. */
export function topCommand(): Command {
  return remoteCommand('top', 'the status, live; Ctrl-C ends it', 'rota top --interval 1')
    .addOption(new Option('--interval <seconds>', 'between looks').default(2).argParser(wholeNumber(1, 86_400)))
    .addOption(new Option('--frames <n>', 'end after so many').argParser(wholeNumber(1, 86_400)))
    .action(async (options: TopOptions) => {
      const interrupted = new AbortController();
      const stop = () => interrupted.abort();
      process.once('SIGINT', stop).once('SIGTERM', stop).once('SIGHUP', stop);
      // A program reads a pipe, or a person does later: one frame unless --frames asks for more.
      const screen = options.json === true ? null : screenOn('out');
      const frames = options.frames ?? (terminalWidth() === null ? 1 : Number.POSITIVE_INFINITY);
      await withRota(options, async (client) => {
        let instances: string[] = [];
        for (let frame = 0; frame < frames && !interrupted.signal.aborted; frame += 1) {
          if (frame % searchEvery === 0) instances = await client.instances();
          const overview = await overviewOf(operators(client), instances);
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

/** Cuts a frame at its end, where the least important tables are; log-update would cut off its beginning. */
export function clipped(text: string, rows: number): string {
  const lines = text.split('\n');
  if (lines.length < rows) return text;
  const shown = Math.max(rows - 2, 1);
  return [...lines.slice(0, shown), `… ${lines.length - shown} more lines: a taller terminal, or rota status`].join(
    '\n',
  );
}
