import { type Command, Option } from 'commander';
import { incidentsOf } from '../control/overview.ts';
import { moment } from '../control/wording.ts';
import type { AuditView } from '../protocol/operator-status.ts';
import { wholeNumber } from './arguments.ts';
import { operators, print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { tableOf } from './table.ts';

interface AuditOptions extends RemoteOptions {
  readonly organisation?: string;
  readonly before?: string;
  readonly limit: number;
}

/** `rota audit`: who did what, of the last 90 days. */
export function auditCommand(): Command {
  return remoteCommand('audit', 'who did what, newest first', 'rota audit --organisation acme')
    .option('--organisation <code>', 'only what names it')
    .option('--before <id>', 'older than this entry')
    .addOption(new Option('--limit <n>', 'at most so many, up to 200').default(20).argParser(wholeNumber(1, 200)))
    .action(async ({ organisation, before, limit, ...options }: AuditOptions) => {
      const page = await withRota(options, (client) => request(client, 'audit', { organisation, before, limit }));
      print(options, page, ({ results }) => `${tableOf(head, results.map(rowOf))}${older(results, limit)}`);
    });
}

/** `rota incidents`: what broke, of the last 30 days. */
export function incidentsCommand(): Command {
  return remoteCommand('incidents', 'what broke and when it was well again, newest first', 'rota incidents --limit 5')
    .option('--before <id>', 'older than this entry')
    .addOption(new Option('--limit <n>', 'at most so many, up to 200').default(20).argParser(wholeNumber(1, 200)))
    .action(async ({ before, limit, ...options }: AuditOptions) => {
      const page = await withRota(options, async (client) =>
        incidentsOf(operators(client), await client.instances(), { before, limit }),
      );
      print(options, page, ({ results, unknown }) => {
        const rows = results.map((it) => [moment(it.at), it.instance, `${it.about} ${it.happened}`, it.why]);
        const missing =
          unknown === null ? '' : `\n\n${unknown}: this is what the supervisors remember since their start`;
        return `${tableOf(['AT', 'SUPERVISOR', 'WHAT', 'WHY'], rows)}${older(results, limit)}${missing}`;
      });
    });
}

const head = ['AT', 'BY', 'DID', 'WHAT'];

function rowOf({ at, by, command, fields, refused }: AuditView): readonly (string | null)[] {
  const what = Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [moment(at), by, refused === null ? command : `${command}: ${refused}`, what.join(' ')];
}

function older(results: readonly { readonly id: string }[], limit: number): string {
  const last = results.at(-1);
  return last === undefined || results.length < limit ? '' : `\n\nolder: --before ${last.id}`;
}
