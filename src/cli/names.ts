import { type Command, Option } from 'commander';
import { within } from '../deadline.ts';
import type { RotaClient } from '../nats/client.ts';
import { oneLine } from '../printable.ts';
import { oneOf, wholeNumber } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';

/** What names are of. Of boefjes: normalizers and report recipes, too. */
export const nameKinds = ['scheduler', 'organisation', 'boefje', 'image', 'actor', 'instance'] as const;
export type NameKind = (typeof nameKinds)[number];

interface NamesOptions extends RemoteOptions {
  readonly scheduler?: string;
  readonly limit: number;
}

/** How long to wait for supervisors to say who they are: completion has half a second for all. */
const pingMs = 250;

/** `rota names`: what completion offers as a value. */
export function namesCommand(): Command {
  return remoteCommand(
    'names',
    'names of a kind that begin alike, as completion offers them',
    'rota names organisation ac',
  )
    .argument('<kind>', nameKinds.join(', '), oneOf(nameKinds))
    .argument('[beginning]')
    .option('--scheduler <id>', 'of what is queued there')
    .addOption(new Option('--limit <n>', 'at most so many, up to 100').default(100).argParser(wholeNumber(1, 100)))
    .action(async (kind: NameKind, beginning = '', { scheduler, limit, ...options }: NamesOptions) => {
      const found = withRota(options, (client) => namesOf(client, kind, { prefix: beginning, scheduler, limit }));
      // Connecting to a host that drops packets takes 20 s.
      const names = await within(found, options.timeout, 'ASK_TIMEOUT');
      // A name that is completed must be one that can be typed.
      print(options, names, ({ results }) => results.filter((name) => name === oneLine(name)).join('\n'));
    });
}

async function namesOf(
  client: RotaClient,
  kind: NameKind,
  { prefix, ...rest }: { readonly prefix: string; readonly scheduler: string | undefined; readonly limit: number },
): Promise<{ readonly results: readonly string[] }> {
  if (kind !== 'instance') return request(client, 'names', { kind, prefix, ...rest });
  const instances = await client.instances(pingMs);
  return { results: instances.filter((it) => it.startsWith(prefix)).slice(0, rest.limit) };
}
