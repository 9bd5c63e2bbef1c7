import { Command } from 'commander';
import { RotaError } from '../errors.ts';
import type { RotaClient } from '../nats/client.ts';
import type { LogLevel } from '../protocol/operator-status.ts';
import { oneOf } from './arguments.ts';
import type { BodyOf } from '../control/operations.ts';
import { overviewOf } from '../control/overview.ts';
import { actorTable } from './overview.ts';
import { operators, print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { confirm, terminalWidth } from './terminal.ts';

interface ActorOptions extends RemoteOptions {
  readonly instance?: string;
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** `rota actors …`: every supervisor has its own actors, so a command acts on all supervisors unless `--instance` names one. */
export function actorsCommand(): Command {
  return new Command('actors')
    .description('list actors, restart them, have them look for new boefjes, set their log level, take a heap snapshot')
    .addHelpText('after', '\nExample:\n  rota actors restart boefje')
    .addCommand(listCommand())
    .addCommand(
      actorCommand(
        'restart',
        'drain an actor and start it anew, with its code as it is now',
        'rota actors restart boefje',
      )
        .argument('<actor>')
        .action((actor: string, options: ActorOptions) => act(options, 'restart-actor', { actor }, 'restarted')),
    )
    .addCommand(
      actorCommand('log-level', 'how much an actor logs, until it is restarted', 'rota actors log-level boefje debug')
        .argument('<actor>')
        .argument('<level>', levels.join(', '), oneOf(levels))
        .action((actor: string, level: (typeof levels)[number], options: ActorOptions) =>
          act(options, 'log-level', { actor, level }, `logs at ${level}`),
        ),
    )
    .addCommand(
      actorCommand(
        'heap',
        "write a heap snapshot into the temporary folder of the supervisor's machine; the actor stands still meanwhile",
        'rota actors heap boefje --instance 1f0c9a3e --timeout 60',
      )
        .argument('<actor>')
        .action((actor: string, options: ActorOptions) => act(options, 'heap', { actor }, 'heap written')),
    )
    .addCommand(lookCommand());
}

/** As Katalogus' signal does that a boefje was enabled. */
function lookCommand(): Command {
  return remoteCommand(
    'look',
    'look for newly enabled boefjes now, and not within the minute',
    'rota actors look --organisation acme',
  )
    .option('--organisation <code...>', 'only in these')
    .action(async ({ organisation, ...options }: RemoteOptions & { readonly organisation?: readonly string[] }) => {
      const body = organisation === undefined ? {} : { organisations: [...organisation] };
      const answer = await withRota(options, (client) => request(client, 'look', body));
      print(options, answer, ({ looking }) =>
        looking === 'all' ? 'looking in every organisation' : `looking in ${looking.join(', ')}`,
      );
    });
}

function actorCommand(name: string, description: string, example: string): Command {
  return remoteCommand(name, description, example).option('--instance <id>', 'of one supervisor only');
}

function listCommand(): Command {
  return remoteCommand('list', 'the actors of every supervisor', 'rota actors list').action(
    async (options: RemoteOptions) => {
      const { supervisors } = await withRota(options, async (client) =>
        overviewOf(operators(client), await client.instances()),
      );
      const actors = supervisors.flatMap(({ instance, actors }) => actors.map((actor) => ({ instance, ...actor })));
      print(options, { actors }, (it) => actorTable(it.actors, terminalWidth()));
    },
  );
}

async function act<K extends 'restart-actor' | 'log-level' | 'heap'>(
  options: ActorOptions,
  command: K,
  body: BodyOf<K>,
  past: string,
): Promise<void> {
  const results = await withRota(options, async (client) => {
    const instances = await instancesOf(client, options);
    return Promise.all(
      instances.map(async (instance) => ({ instance, ...(await request(client, command, body, instance)) })),
    );
  });
  print(options, { results }, (it) =>
    it.results.map((of) => `${of.instance}: ${past}${'file' in of ? ` to ${of.file}` : ''}`).join('\n'),
  );
}

async function instancesOf(client: RotaClient, options: ActorOptions): Promise<readonly string[]> {
  if (options.instance !== undefined) return [options.instance];
  const instances = await client.instances();
  if (instances.length === 0) throw new RotaError('SERVICE_UNAVAILABLE', `no supervisor answers on ${options.prefix}`);
  return instances;
}

interface DrainOptions extends RemoteOptions {
  readonly yes?: boolean;
}

/** `rota drain`: has the effect of SIGTERM. */
export function drainCommand(): Command {
  return remoteCommand('drain', 'let a supervisor finish what it has in hand, and end', 'rota drain 1f0c9a3e --yes')
    .argument('[instance]', 'of rota status; needed where there are several')
    .option('--yes', 'do not ask')
    .action(async (instance: string | undefined, options: DrainOptions) => {
      const answer = await withRota(options, async (client) => {
        const instances = await client.instances();
        const chosen = instance ?? (instances.length === 1 ? instances[0] : undefined);
        if (chosen === undefined || !instances.includes(chosen)) {
          const there = instances.join(', ') || 'none';
          throw new RotaError(instance === undefined ? 'INVALID_REQUEST' : 'NOT_FOUND', `name a supervisor: ${there}`);
        }
        await confirm(`drain supervisor ${chosen}?`, options.yes === true);
        return request(client, 'drain', {}, chosen);
      });
      print(options, answer, ({ draining }) => `supervisor ${draining} drains and ends`);
    });
}
