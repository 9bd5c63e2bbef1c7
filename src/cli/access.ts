import { Command, InvalidArgumentError, Option } from 'commander';
import { isRole, isTokenName, newToken, tokenRoles } from '../api-tokens.ts';
import { RotaError } from '../errors.ts';
import { natsUsers, type NatsUser, type RolesOptions, type WorkerUser } from '../nats/roles.ts';
import { print } from './remote.ts';
import { write } from './terminal.ts';

/** `rota token new`: prints the token once and stores it nowhere; a supervisor gets its hash. */
export function tokenCommand(): Command {
  const token = new Command('token')
    .description('tokens of the REST API')
    .addHelpText('after', '\nExample:\n  rota token new boefje-runner work');
  token
    .command('new')
    .description('make one: prints the token, and the line for SCHEDULER_API_TOKENS_FILE that lets it in')
    .argument('<name>', 'who carries it, as the audit log says it')
    .argument('<role>', tokenRoles.join(', '))
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  rota token new boefje-runner work')
    .action((name: string, role: string, options: { json?: boolean }) => {
      if (!isTokenName(name))
        throw new RotaError('INVALID_REQUEST', 'name: expected up to 64 letters, digits, `.`, `_` and `-`');
      if (!isRole(role)) throw new RotaError('INVALID_REQUEST', `role: expected one of ${tokenRoles.join(', ')}`);
      const made = newToken(name, role);
      print(options, made, (it) => `token  ${it.token}\nline   ${it.line}`);
    });
  return token;
}

interface PermissionOptions {
  readonly prefix: string;
  readonly worker?: readonly WorkerUser[];
  readonly publisher?: boolean;
}

/** What each role may publish to JetStream, by prefix; src/cli.ts passes it in. */
export type JetstreamOf = (prefix: string) => RolesOptions['jetstream'];

const everyScheduler: WorkerUser = { name: 'worker', schedulers: null };

/** `rota nats-permissions`: needs no supervisor. */
export function natsPermissionsCommand(jetstreamOf: JetstreamOf): Command {
  return new Command('nats-permissions')
    .description('print a configuration of nats-server: users for workers, operators and Rota, and what each may do')
    .addOption(
      new Option('--prefix <prefix>', 'subject prefix of the installation')
        .env('SCHEDULER_NATS_PREFIX')
        .default('rota')
        .argParser(prefixOf),
    )
    .addOption(
      new Option(
        '--worker <name[:scheduler,…]>',
        'a worker of its own, for these schedulers; may be repeated',
      ).argParser(addWorker),
    )
    .option('--publisher', "a user for KAT's services, where they send events to JetStream")
    .addHelpText('after', '\nExample:\n  rota nats-permissions --worker scan1:boefje --worker parse1:normalizer')
    .action((options: PermissionOptions) => {
      const { prefix, worker: workers = [everyScheduler], publisher: withPublisher = false } = options;
      const users = natsUsers({ prefix, workers, withPublisher, jetstream: jetstreamOf(prefix) });
      refuseDuplicates(users);
      write(configOf(users));
    });
}

const word = /^[A-Za-z0-9_-]{1,100}$/;

function prefixOf(text: string): string {
  if (!word.test(text)) throw new InvalidArgumentError('expected letters, digits, _ and -.');
  return text;
}

function addWorker(text: string, before: readonly WorkerUser[] = []): readonly WorkerUser[] {
  const [name = '', list, ...more] = text.split(':');
  const schedulers = list === undefined ? null : list.split(',');
  const words = [name, ...(schedulers ?? [])];
  if (more.length > 0 || !words.every((one) => word.test(one)))
    throw new InvalidArgumentError('expected a name, or name:scheduler,scheduler, of letters, digits, _ and -.');
  return [...before, { name, schedulers }];
}

/** Two users with one name, or with one variable for their passwords, would be one user. */
function refuseDuplicates(users: readonly NatsUser[]): void {
  const seen = new Set<string>();
  for (const { name } of users) {
    const variable = passwordOf(name);
    if (seen.has(variable))
      throw new RotaError('INVALID_REQUEST', `--worker ${name}: expected a name that is not taken`);
    seen.add(variable);
  }
}

function passwordOf(name: string): string {
  return `ROTA_${name.toUpperCase().replaceAll('-', '_')}_PASSWORD`;
}

/** The users whose requests Rota answers. */
function requesters(users: readonly NatsUser[]): readonly NatsUser[] {
  return users.filter(({ role }) => role === 'worker' || role === 'operator');
}

function configOf(users: readonly NatsUser[]): string {
  return `# Users of a NATS server that Rota shares with others: nats-server -c nats-permissions.conf
# Made by: rota nats-permissions (docs/security.md)
#
# Each connects with its own NATS_USER, NATS_PASSWORD and NATS_INBOX_PREFIX (_INBOX_<user>). nats-server reads the passwords from
# its environment: ${users.map(({ name }) => passwordOf(name)).join(', ')}.
#
# Rota itself takes NATS_REPLY_PREFIXES=${requesters(users)
    .map(({ name }) => `_INBOX_${name}`)
    .join(',')}: then no other inbox is
# answered, and each of these users is one client, with one budget (docs/workers.md).

jetstream: enabled

accounts: {
  ROTA: {
    jetstream: enabled
    users: [
${users.map(userOf).join('\n')}
    ]
  }
}
`;
}

function userOf({ name, purpose, publish, subscribe }: NatsUser): string {
  return `      # ${purpose}
      {
        user: "${name}"
        password: $${passwordOf(name)}
        permissions: {
          publish: ${listOf(publish)}
          subscribe: ${listOf(subscribe)}
        }
      }`;
}

function listOf(subjects: readonly string[]): string {
  return `[\n${subjects.map((subject) => `            "${subject}"`).join('\n')}\n          ]`;
}
