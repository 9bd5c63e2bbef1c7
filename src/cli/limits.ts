import { Command } from 'commander';
import { rateInShort } from '../control/limit-views.ts';
import { age, moment, whenOf } from '../control/wording.ts';
import type { LimitMatchView, LimitView, SetLimit, WindowView } from '../protocol/limits.ts';
import { RotaError } from '../errors.ts';
import { duration, rate, wholeNumber } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { tableOf } from './table.ts';

interface MatchOptions extends RemoteOptions {
  readonly scheduler?: string;
  readonly organisation?: string;
  readonly boefje?: string;
  readonly image?: string;
  readonly ooiType?: string;
  readonly exemptManual?: true;
  readonly note?: string;
}

export interface LimitOptions extends MatchOptions {
  readonly key?: string;
  readonly rate?: { readonly tasks: number; readonly seconds: number };
  readonly burst?: number;
  readonly concurrency?: number;
}

export interface WindowOptions extends MatchOptions {
  readonly zone?: string;
  readonly opens?: string;
  readonly for?: number;
  readonly closedFrom?: string;
  readonly until?: string;
}

/** `rota limits`: how often tasks run, and how many at once. */
export function limitsCommand(): Command {
  return new Command('limits')
    .description('how often tasks run, and how many at once')
    .addHelpText('after', '\nExample:\n  rota limits set shodan --boefje shodan --key api:shodan --rate 1/s')
    .addCommand(listLimitsCommand())
    .addCommand(showCommand('limit'))
    .addCommand(setLimitCommand())
    .addCommand(endCommand('limit'))
    .addCommand(testLimitCommand());
}

/** `rota windows`: when tasks may run. */
export function windowsCommand(): Command {
  return new Command('windows')
    .description('when tasks may run')
    .addHelpText(
      'after',
      "\nExample:\n  rota windows set nights --boefje nmap --opens '0 22 * * *' --for 8h --zone Europe/Amsterdam",
    )
    .addCommand(listWindowsCommand())
    .addCommand(showCommand('window'))
    .addCommand(setWindowCommand())
    .addCommand(endCommand('window'));
}

function listLimitsCommand(): Command {
  return remoteCommand('list', 'limits, and what each holds', 'rota limits list').action(
    async (options: RemoteOptions) => {
      const limits = await withRota(options, (client) => request(client, 'limits', {}));
      print(options, limits, ({ results }) =>
        tableOf(
          ['NAME', 'FOR', 'KEY', 'RATE', 'BURST', 'AT ONCE', 'HOLDS', 'OLDEST', 'NOTE'],
          results.map((it) => [
            it.name,
            matchOf(it),
            it.key,
            rateText(it),
            it.rate === null ? null : it.burst,
            it.concurrency,
            heldText(it),
            age(it.oldest_seconds),
            it.note,
          ]),
        ),
      );
    },
  );
}

export function setLimitCommand(): Command {
  return matching(
    'set',
    'set a limit, or change it',
    'rota limits set shodan --boefje shodan --key api:shodan --rate 1/s',
  )
    .option(
      '--key <template>',
      'tasks with the same value share the limit, as host:{host} or net:{ip/24}; all do where absent',
    )
    .option('--rate <tasks/duration>', 'as 1/s, 30/m or 1/5m', rate)
    .option('--burst <tasks>', 'so many may go at once after a rest', wholeNumber(1))
    .option('--concurrency <tasks>', 'so many are claimed or running at once', wholeNumber(1))
    .action(async (name: string, options: LimitOptions) => {
      const set = await withRota(options, (client) => request(client, 'set-limit', limitBody(name, options)));
      print(options, set, setText);
    });
}

function testLimitCommand(): Command {
  return remoteCommand(
    'test',
    'what would hold a task now, and for how long',
    "rota limits test --boefje nmap --organisation acme --ooi 'Hostname|internet|example.com'",
  )
    .option('--scheduler <id>', 'boefje where absent')
    .option('--organisation <code>', 'without it, limits of one organisation are not looked at')
    .option('--boefje <id>', 'or normalizer, or report recipe')
    .option('--image <image>')
    .option('--ooi <reference>')
    .option('--manual', 'as a person pushes it')
    .action(async (given: MatchOptions & { readonly ooi?: string; readonly manual?: true }) => {
      const { scheduler, organisation, boefje, image, ooi, manual, ...options } = given;
      const test = await withRota(options, (client) =>
        request(client, 'test-limit', { scheduler, organisation, boefje, image, ooi, manual }),
      );
      print(options, test, ({ results, starts_at: starts }) =>
        results.length === 0
          ? 'no limit or window is for it'
          : [
              ...results.map(({ fact, key }) => `${fact} (${key})`),
              starts === null ? 'when it starts cannot be told' : `it may start ${whenOf(starts)}`,
            ].join('\n'),
      );
    });
}

function listWindowsCommand(): Command {
  return remoteCommand('list', 'windows, and which are open', 'rota windows list').action(
    async (options: RemoteOptions) => {
      const windows = await withRota(options, (client) => request(client, 'windows', {}));
      print(options, windows, ({ results }) =>
        tableOf(
          ['NAME', 'FOR', 'OPENS', 'ZONE', 'NOW', 'CHANGES', 'HOLDS', 'NOTE'],
          results.map((it) => [
            it.name,
            matchOf(it),
            it.cron === null ? `but ${it.from} to ${it.until}` : `${it.cron} for ${age(it.seconds)}`,
            it.zone,
            it.open ? 'open' : 'closed',
            moment(it.changes_at),
            heldText(it),
            it.note,
          ]),
        ),
      );
    },
  );
}

export function setWindowCommand(): Command {
  return matching(
    'set',
    'say when tasks may run',
    "rota windows set nights --opens '0 22 * * *' --for 8h --boefje nmap",
  )
    .option('--opens <cron>', 'on the wall clock of the zone; with --for')
    .option('--for <duration>', 'how long it is open then, as 8h', duration)
    .option('--closed-from <time>', 'instead: open but from then, as 2026-12-24T08:00; with --until')
    .option('--until <time>', 'when that ends')
    .option('--zone <name>', 'as Europe/Amsterdam; UTC where absent')
    .action(async (name: string, options: WindowOptions) => {
      const set = await withRota(options, (client) => request(client, 'set-window', windowBody(name, options)));
      print(options, set, setText);
    });
}

function showCommand(kind: 'limit' | 'window'): Command {
  return remoteCommand('show', `one ${kind}, with all that is known of it`, `rota ${kind}s show NAME`)
    .argument('<name>')
    .action(async (name: string, options: RemoteOptions) => {
      const { results } = await withRota(options, (client) => request(client, `${kind}s`, {}));
      const found = results.find((it) => it.name === name);
      if (found === undefined) {
        const known = results.map((it) => it.name).join(', ') || 'none';
        throw new RotaError('NOT_FOUND', `no ${kind} ${name}; there are: ${known}`);
      }
      print(options, found, (it) =>
        tableOf(
          ['FIELD', 'VALUE'],
          Object.entries(it)
            .filter(([, value]) => value !== null)
            .map(([field, value]) => [field, typeof value === 'object' ? JSON.stringify(value) : String(value)]),
        ),
      );
    });
}

function endCommand(kind: 'limit' | 'window'): Command {
  return remoteCommand('unset', `end a ${kind}; what it holds goes on`, `rota ${kind}s unset NAME`)
    .argument('<name>')
    .action(async (name: string, options: RemoteOptions) => {
      const ended = await withRota(options, (client) => request(client, `unset-${kind}`, { name }));
      print(options, ended, () => `ended; what it held goes on within seconds`);
    });
}

function matching(name: string, description: string, example: string): Command {
  return remoteCommand(name, description, example)
    .argument('<name>', 'of A-Z, a-z, 0-9, _, . and -')
    .option('--scheduler <id>', 'boefje, normalizer, report, …; all where absent, as with all of these')
    .option('--organisation <code>')
    .option('--boefje <id>', 'or normalizer, or report recipe; several by commas')
    .option('--image <image>')
    .option('--ooi-type <type>', 'as Hostname')
    .option('--exempt-manual', 'not what a person pushes')
    .option('--note <text>', 'why');
}

/** Of `set-limit`. */
export function limitBody(name: string, options: LimitOptions) {
  const { key, rate, burst, concurrency } = options;
  return { name, ...bodyOf(options), key, rate, burst, concurrency };
}

/** Of `set-window`. */
export function windowBody(name: string, options: WindowOptions) {
  const { zone, opens: cron, for: seconds, closedFrom: from, until } = options;
  return { name, ...bodyOf(options), zone, cron, seconds, from, until };
}

function bodyOf({ scheduler, organisation, boefje, image, ooiType, exemptManual, note }: MatchOptions) {
  return { scheduler, organisation, boefje, image, ooi_type: ooiType, exempt_manual: exemptManual, note };
}

function rateText({ rate }: LimitView): string | null {
  return rate === null ? null : rateInShort(rate);
}

function setText({ added }: SetLimit): string {
  return `${added ? 'set' : 'changed'}; it holds within 2 s, and in a long queue from the head on`;
}

function heldText({ waiting, waiting_is_least: isLeast }: LimitView | WindowView): string {
  return isLeast ? `${waiting}+` : String(waiting);
}

function matchOf({ scheduler, organisation, boefje, image, ooi_type, exempt_manual: exempt }: LimitMatchView): string {
  const parts = [scheduler, organisation, boefje, image, ooi_type].filter((part) => part !== null);
  return `${parts.join(' / ') || 'all'}${exempt ? ', not manual' : ''}`;
}
