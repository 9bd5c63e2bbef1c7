import type { Command } from 'commander';
import { RotaError } from '../errors.ts';
import type { ExplanationView, StartEstimate } from '../protocol/operator-lists.ts';
import { jsonOrUndefined, readInput } from './arguments.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { age, moment, rateOf, whenOf } from '../control/wording.ts';
import { tableOf } from './table.ts';
import { line, terminalWidth } from './terminal.ts';

interface ExplainOptions extends RemoteOptions {
  readonly boefje?: string;
  readonly ooi?: string;
  readonly rawFile?: string;
  readonly normalizer?: string;
  readonly organisation?: string;
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
    .action(async (id: string | undefined, options: ExplainOptions) => {
      const question = await questionOf(id, options);
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
  const lines = [verdictOf(explained), '', table, ''];
  lines.push(...ways.map(({ what, fact }) => line`In the way: ${what}: ${fact}.`));
  if (explained.start !== null) lines.push(startSentence(explained.start));
  lines.push(next);
  if (explained.then_again_at !== null)
    lines.push(`After a run now it would run again ${whenOf(explained.then_again_at)}.`);
  return lines.join('\n');
}

/** In one line: what its task does now, else what would become of one. Of what is queued it is no answer that it is not queued twice. */
function verdictOf({ steps, in_the_way: ways, trigger, verdict, reason, task }: ExplanationView): string {
  const when = trigger === 'schedule' ? 'when it is due' : 'on an event about it';
  const pause = ways.find(({ what }) => what === 'pause');
  const paused =
    pause?.since === undefined
      ? null
      : line`paused since ${moment(pause.since)} by ${pause.by ?? 'an unknown operator'}`;
  const why = reason ?? steps.find(({ outcome }) => outcome === 'refuses')?.fact ?? null;
  if (task?.status === 'queued') {
    const now = paused === null ? `Queued since ${moment(task.modified_at)}` : `Queued, ${paused}`;
    return why === null || why === 'already-queued'
      ? `${now}.`
      : line`${now}; one more would be refused ${when}: ${why}.`;
  }
  const now = task?.status === 'dispatched' || task?.status === 'running' ? `It is ${task.status}. ` : '';
  const held = paused === null ? '' : `, and held: ${paused}`;
  const would = {
    'would-run': `It would be queued ${when}${held}.`,
    refused: line`It would not be queued ${when}: ${why}.`,
    unknown: `It is unknown now whether it would be queued ${when}; it would be tried again.`,
  };
  return now + would[verdict];
}

/** When a queued task starts, or why that cannot be told. */
export function startSentence(start: StartEstimate): string {
  const { estimated_start_at: at, before_is_least: least, per_second: rate, over_seconds: seconds } = start;
  const kind = start.among === 'image' ? line`of image ${start.image} ` : '';
  const place = start.before === null ? '' : `${least ? 'more than ' : ''}${start.before} ${kind}before it`;
  if (at !== null) {
    const when = `${moment(at)} (${whenOf(at)})`;
    return `It starts ${least ? 'after' : 'about'} ${when}: ${place} at ${rateOf(rate!)}, as over the last ${age(seconds)}.`;
  }
  const what = start.image === null ? 'its scheduler' : line`image ${start.image}`;
  const asked = start.asked_at === null ? null : `${moment(start.asked_at)} (${whenOf(start.asked_at)})`;
  const why = {
    'not-queued': 'it is not queued',
    held: 'a pause holds it',
    'nobody-asks': asked === null ? `nobody has asked for ${what} yet` : `nobody has asked for ${what} since ${asked}`,
    'none-handed-out': `none ${kind}was handed out in the last minutes; a worker last asked at ${asked}`,
  }[start.unknown!];
  return `When it starts cannot be told${place === '' ? '' : `, with ${place}`}: ${why}.`;
}
