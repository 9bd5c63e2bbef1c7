import type { Command } from 'commander';
import type { AskedImage } from '../protocol/operator-status.ts';
import type { OperatorAnswers } from '../protocol/operator.ts';
import { age, ageOf, lastAsked, whenOf } from '../control/wording.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { tableOf } from './table.ts';
import { terminalWidth } from './terminal.ts';

type Answer = OperatorAnswers['workers'] & OperatorAnswers['demand'];

/** `rota workers`: who has tasks in hand, and what pops ask for. */
export function workersCommand(): Command {
  return remoteCommand('workers', 'who has tasks in hand, and which images pops ask for', 'rota workers').action(
    async (options: RemoteOptions) => {
      const answer = await withRota(options, async (client): Promise<Answer> => {
        const [workers, demand] = await Promise.all([request(client, 'workers', {}), request(client, 'demand', {})]);
        return { ...workers, ...demand };
      });
      print(options, answer, render);
    },
  );
}

function render(answer: Answer): string {
  const { results, leases, leases_is_least: least, others, images, any_image: any } = answer;
  const asked = [
    ...any.map(({ scheduler, asked_at: at }) => [scheduler, 'any', null, null, null, lastAsked(at)]),
    ...images.map(imageRow),
  ];
  return [
    tableOf(
      ['WORKER', 'VIA', 'SCHEDULER', 'HOLDS', 'BEGUN', 'OLDEST', 'FIRST ENDS'],
      results.map((it) => [
        it.worker,
        it.via,
        it.scheduler,
        it.holds,
        it.begun,
        ageOf(it.oldest_at),
        whenOf(it.first_ends_at),
      ]),
      terminalWidth(),
    ),
    ...(others > 0 ? [`and ${others} others`] : []),
    ...(least ? [`of the ${leases} leases that end first`] : []),
    tableOf(['SCHEDULER', 'IMAGE', 'QUEUED', 'HELD', 'OLDEST', 'LAST ASKED'], asked, terminalWidth()),
  ].join('\n\n');
}

function imageRow(it: AskedImage): readonly (string | number | null)[] {
  const { scheduler, image, queued, queued_is_least: least, held, oldest_seconds: oldest, asked_at: at } = it;
  return [scheduler, image, least ? `${queued}+` : queued, held, age(oldest), lastAsked(at)];
}
