import { type Command, Option } from 'commander';
import { moment } from '../control/wording.ts';
import type { AuditView } from '../protocol/operator-status.ts';
import { wholeNumber } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
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

const head = ['AT', 'BY', 'DID', 'WHAT'];

function rowOf({ at, by, command, fields, refused }: AuditView): readonly (string | null)[] {
  const what = Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [moment(at), by, refused === null ? command : `${command}: ${refused}`, what.join(' ')];
}

function older(results: readonly AuditView[], limit: number): string {
  const last = results.at(-1);
  return last === undefined || results.length < limit ? '' : `\n\nolder: --before ${last.id}`;
}
