import { Command, InvalidArgumentError, Option } from 'commander';
import { rankerAdvice } from '../control/advice.ts';
import { partsOf, type PartView } from '../control/parts.ts';
import type { RerankPreview } from '../protocol/operator-organisations.ts';
import type { WeightView } from '../protocol/operator.ts';
import { type QueuePart, queueParts } from '../tasks/task.ts';
import { weightRange } from '../tasks/limits.ts';
import { oneOf } from './arguments.ts';
import { leastOf } from './lists.ts';
import { operators, print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { age, moment, rateOf } from '../control/wording.ts';
import { tableOf } from './table.ts';
import { confirm, line, terminalWidth, write } from './terminal.ts';

interface QueueOptions extends RemoteOptions {
  readonly by: QueuePart;
}

/** `rota queue`: whose tasks are queued, or what for. */
export function queueCommand(): Command {
  return remoteCommand('queue', 'what is queued, by organisation, boefje or image', 'rota queue boefje --by image')
    .argument('[scheduler]', 'boefje, normalizer, report, …; all where absent')
    .addOption(new Option('--by <part>', queueParts.join(', ')).default(queueParts[0]).argParser(oneOf(queueParts)))
    .action(async (scheduler: string | undefined, { by, ...options }: QueueOptions) => {
      const parts = await withRota(options, async (client) =>
        partsOf(operators(client), by === 'image' ? [] : await client.instances(), { scheduler, by }),
      );
      print(options, parts, ({ results, unanswered }) =>
        [
          tableOf(
            ['SCHEDULER', by.toUpperCase(), 'QUEUED', 'HELD', 'OLDEST', 'RATE', 'FAILED'],
            results.map((it) => [it.scheduler, ...partCells(it)]),
          ),
          ...unanswered.map((instance) => line`\nwithout supervisor ${instance}, which did not answer`),
        ].join('\n'),
      );
    });
}

/** Name, queued, held, oldest, rate and failures. */
export function partCells(part: PartView): readonly (string | number | null)[] {
  return [
    part.name,
    part.queued_is_least ? `${part.queued}+` : part.queued,
    part.held_is_least ? `${part.held}+` : part.held,
    age(part.oldest_seconds),
    part.per_second === null ? null : rateOf(part.per_second),
    part.failed,
  ];
}

export interface PauseOptions extends RemoteOptions {
  readonly organisation?: string;
  readonly boefje?: string;
  readonly note?: string;
}

export function pausesCommand(): Command {
  return remoteCommand('pauses', 'what is paused', 'rota pauses').action(async (options: RemoteOptions) => {
    const pauses = await withRota(options, (client) => request(client, 'pauses', {}));
    print(options, pauses, ({ results }) =>
      tableOf(
        ['SCHEDULER', 'ORGANISATION', 'BOEFJE', 'BY', 'SINCE', 'NOTE'],
        results.map((it) => [
          it.scheduler,
          it.organisation ?? 'all',
          it.boefje ?? 'all',
          it.paused_by,
          moment(it.since),
          it.note,
        ]),
      ),
    );
  });
}

/** `rota pause`: holds what it names until `rota resume`; pushes go on. */
export function pauseCommand(): Command {
  return keyed('pause', 'stop handing out tasks; they stay queued', 'rota pause boefje --organisation acme')
    .option('--note <text>', 'why; shown by rota pauses and explain')
    .action(async (scheduler: string, { organisation, boefje, note, ...options }: PauseOptions) => {
      const held = await withRota(options, async (client) => {
        // The supervisors finish a pause by themselves: the command repeats its request only to count.
        let count = 0;
        while (true) {
          const { held, complete, known } = await request(client, 'pause', { scheduler, organisation, boefje, note });
          count += held;
          if (!complete) continue;
          if (!known) write(line`warning: no task or boefje of organisation ${organisation} was ever seen\n`, 'err');
          return count;
        }
      });
      print(options, { held }, () => `paused; ${held} queued ${held === 1 ? 'task is' : 'tasks are'} held`);
    });
}

export function resumeCommand(): Command {
  return keyed('resume', 'hand out again what was paused', 'rota resume boefje --organisation acme').action(
    async (scheduler: string, { organisation, boefje, ...options }: PauseOptions) => {
      const { released, complete } = await withRota(options, (client) =>
        request(client, 'resume', { scheduler, organisation, boefje }),
      );
      print(
        options,
        { released },
        () =>
          `resumed; ${released} ${released === 1 ? 'task' : 'tasks'} may be popped again${complete ? '' : ' so far; the rest follows by itself'}`,
      );
    },
  );
}

function keyed(name: string, description: string, example: string): Command {
  return remoteCommand(name, description, example)
    .argument('<scheduler>', 'boefje, normalizer, report, …')
    .option('--organisation <code>', 'only of this organisation')
    .option('--boefje <id>', 'only of this boefje (or normalizer, or report recipe)');
}

interface PurgeOptions extends RemoteOptions {
  readonly yes?: boolean;
}

export function purgeCommand(): Command {
  return remoteCommand('purge', 'take an organisation out of queue, schedules and pauses', 'rota purge acme --yes')
    .argument('<organisation>')
    .option('--yes', 'do not ask')
    .action(async (organisation: string, options: PurgeOptions) => {
      const purged = await withRota(options, async (client) => {
        const tasks = await request(client, 'tasks', { organisation, status: 'queued', limit: 0 });
        const schedules = await request(client, 'schedules', { organisation, limit: 0 });
        const question = `cancel ${leastOf(tasks)} queued tasks and delete ${leastOf(schedules)} schedules of ${organisation}?`;
        await confirm(question, options.yes === true);
        return request(client, 'purge', { organisation });
      });
      print(
        options,
        purged,
        (it) => `${it.tasks} tasks cancelled, ${it.schedules} schedules and ${it.pauses} pauses removed`,
      );
    });
}

/** `rota rerank`: in batches through the ranking pool; pushes and pops go on. */
export function rerankCommand(): Command {
  return remoteCommand('rerank', 'rank everything queued anew, as its ranker would now', 'rota rerank boefje')
    .argument('<scheduler>')
    .option('--preview [ranker]', 'rank nothing: show who would be next, with this ranker or with its own')
    .action(async (scheduler: string, options: RemoteOptions & { readonly preview?: string | true }) => {
      const { preview } = options;
      if (preview !== undefined) {
        const of = preview === true ? { scheduler } : { scheduler, ranker: preview };
        print(options, await withRota(options, (client) => request(client, 'preview-rerank', of)), renderPreview);
        return;
      }
      const { looked, moved } = await withRota(options, async (client) => {
        let answer = await request(client, 'rerank', { scheduler });
        while (!answer.complete) {
          write(`${answer.looked} so far\n`, 'err');
          answer = await request(client, 'rerank', { scheduler, run: answer.run }, answer.instance);
        }
        return answer;
      });
      print(options, { looked, moved }, () => `${looked} queued tasks ranked, ${moved} of them moved`);
    });
}

function renderPreview(preview: RerankPreview): string {
  const { scheduler, ranker, looked, looked_is_least: least, counted, organisations, others, own } = preview;
  if (looked === 0) return `nothing is queued for ${scheduler} that may be popped`;
  const rows = organisations.map(({ name, before, after }) => [
    name,
    before.count,
    after.count,
    before.first,
    after.first,
  ]);
  return [
    tableOf(['ORGANISATION', 'NOW', `WITH ${ranker}`, 'FIRST NOW', 'FIRST THEN'], rows, terminalWidth()),
    ...(others > 0 ? [`and ${others} other organisations`] : []),
    `of the next ${counted} tasks, with the ${least ? `first ${looked}` : looked} queued ranked by ${ranker}; nothing is changed`,
    ...(ranker === own ? [] : [`${scheduler} has ${own}: ${rankerAdvice(scheduler, ranker)}`]),
  ].join('\n\n');
}

/** `rota weights`: how often an organisation is served, compared with others. */
export function weightsCommand(): Command {
  return new Command('weights')
    .description('shares of organisations, for the fair-share ranker')
    .addHelpText('after', '\nExample:\n  rota weights set boefje acme 2')
    .addCommand(listWeightsCommand())
    .addCommand(setWeightCommand())
    .addCommand(unsetWeightCommand());
}

function listWeightsCommand(): Command {
  return remoteCommand('list', 'those that are not 1', 'rota weights list').action(async (options: RemoteOptions) => {
    const weights = await withRota(options, async (client) => {
      const results: WeightView[] = [];
      let page = await request(client, 'weights', { offset: 0 });
      while (page.results.length > 0) {
        results.push(...page.results);
        if (results.length >= page.count) break;
        page = await request(client, 'weights', { offset: results.length });
      }
      return { results };
    });
    print(options, weights, ({ results }) =>
      tableOf(
        ['SCHEDULER', 'ORGANISATION', 'WEIGHT'],
        results.map(({ scheduler, organisation, weight }) => [scheduler, organisation, weight]),
      ),
    );
  });
}

export function setWeightCommand(): Command {
  return remoteCommand('set', 'serve an organisation so often', 'rota weights set boefje acme 2')
    .argument('<scheduler>')
    .argument('<organisation>')
    .argument('<weight>', 'compared with 1, which every organisation has; from 0.001 to 1000', weightOf)
    .action(async (scheduler: string, organisation: string, weight: number, options: RemoteOptions) => {
      const changed = await withRota(options, (client) =>
        request(client, 'set-weight', { scheduler, organisation, weight }),
      );
      print(options, changed, weightChanged);
    });
}

function unsetWeightCommand(): Command {
  return remoteCommand('unset', 'serve it as often as others again', 'rota weights unset boefje acme')
    .argument('<scheduler>')
    .argument('<organisation>')
    .action(async (scheduler: string, organisation: string, options: RemoteOptions) => {
      const changed = await withRota(options, (client) => request(client, 'unset-weight', { scheduler, organisation }));
      print(options, changed, weightChanged);
    });
}

function weightOf(text: string): number {
  const weight = Number(text);
  if (text.trim() === '' || !(weight >= weightRange.least && weight <= weightRange.most))
    throw new InvalidArgumentError('expected a number from 0.001 to 1000');
  return weight;
}

const weightChanged = ({ weight, before }: { readonly weight: number; readonly before: number }) =>
  `weight ${weight}, was ${before}; what is queued keeps its place until rota rerank`;
