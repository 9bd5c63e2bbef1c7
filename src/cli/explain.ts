import type { Command } from 'commander';
import { RotaError } from '../errors.ts';
import type { ExplanationView } from '../protocol/operator-lists.ts';
import { jsonOrUndefined, readInput } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { startSentence, type Verdict, verdictOf } from '../control/verdict.ts';
import { moment, whenOf } from '../control/wording.ts';
import { tableOf } from './table.ts';
import { line, terminalWidth } from './terminal.ts';

interface ExplainOptions extends RemoteOptions {
  readonly boefje?: string;
  readonly ooi?: string;
  readonly rawFile?: string;
  readonly normalizer?: string;
  readonly organisation?: string;
  readonly runNow?: boolean;
}

/** `rota explain`: why a task would, or would not, be scheduled now. */
export function explainCommand(): Command {
  return remoteCommand(
    'explain',
    'why a boefje, task, schedule or raw file would or would not be scheduled now, rule by rule',
    "rota explain --organisation acme --boefje dns-records --ooi 'Hostname|internet|example.com'",
  )
    .argument('[id]', 'of a task or a schedule, instead of the options')
    .option('--organisation <code>')
    .option('--boefje <id>')
    .option('--ooi <reference>', 'the whole reference; none for a boefje that runs without one')
    .option('--raw-file <file>', "Bytes' event about it as JSON, as `rota dead show` prints one; - reads stdin")
    .option('--normalizer <id>', 'only this one of those that could parse the raw file')
    .option('--run-now', 'queue it with priority 1, where only its time or an event is missing')
    .action(async (id: string | undefined, options: ExplainOptions) => {
      const question = await questionOf(id, options);
      if (options.runNow === true) {
        const queued = await withRota(options, (client) => request(client, 'run-now', question));
        print(
          options,
          queued,
          ({ task, organisation }) => line`Queued for ${organisation} with priority 1: task ${task}.`,
        );
        return;
      }
      const explained = await withRota(options, (client) => request(client, 'explain', question));
      print(options, explained, render);
    });
}

async function questionOf(id: string | undefined, options: ExplainOptions): Promise<object> {
  const { organisation, boefje, ooi, rawFile, normalizer } = options;
  const pair = [organisation, boefje, ooi].some((option) => option !== undefined);
  const file = rawFile !== undefined || normalizer !== undefined;
  if (id !== undefined && !pair && !file) return { id };
  if (id === undefined && !file && organisation !== undefined && boefje !== undefined)
    return { organisation, boefje, ooi };
  if (id === undefined && !pair && rawFile !== undefined) return { raw_file: await eventIn(rawFile), normalizer };
  throw new RotaError(
    'INVALID_REQUEST',
    'expected the id of a task or schedule, or --organisation and --boefje, or --raw-file',
  );
}

/** The event; the file may also hold a dead letter whose body is the event. */
async function eventIn(file: string): Promise<unknown> {
  const found = jsonOrUndefined(await readInput(file));
  if (typeof found !== 'object' || found === null)
    throw new RotaError('INVALID_REQUEST', `${file}: expected the event about a raw file as JSON`);
  return 'body' in found ? found.body : found;
}

const words = { passes: 'yes', refuses: 'NO', unanswered: '?', skipped: '-' } as const;

function render(explained: ExplanationView): string {
  const { steps, in_the_way: ways, schedule } = explained;
  const next =
    schedule === null
      ? 'It has no schedule.'
      : !schedule.enabled
        ? line`Its schedule ${schedule.id} is disabled (${schedule.disabled_reason ?? 'unknown'}).`
        : schedule.deadline_at === null
          ? `Its schedule ${schedule.id} has no deadline.`
          : `Its schedule ${schedule.id} is due ${whenOf(schedule.deadline_at)}, ${moment(schedule.deadline_at)}.`;
  const table = tableOf(
    ['RULE', 'OK', 'REASON', 'FACT'],
    steps.map((step) => [step.rule, words[step.outcome], step.reason, step.fact]),
    terminalWidth(),
    { wrap: true },
  );
  const lines = [...wordsOf(verdictOf(explained)), '', table, ''];
  lines.push(...ways.map(({ what, fact }) => line`In the way: ${what}: ${fact}.`));
  if (explained.start !== null) lines.push(line`${startSentence(explained.start)}`);
  lines.push(next);
  if (explained.then_again_at !== null)
    lines.push(`After a run now it would run again ${whenOf(explained.then_again_at)}.`);
  return lines.join('\n');
}

function wordsOf({ sentence, reason, fact, advice }: Verdict): readonly string[] {
  const why = [reason, fact].filter((text) => text !== null).join(': ');
  return [
    line`${sentence}`,
    ...(why === '' ? [] : [line`Why: ${why}.`]),
    ...(advice === null ? [] : [line`Do: ${advice}.`]),
  ];
}
