import { overviewOf } from '../../control/overview.ts';
import { ageOf, megabytes } from '../../control/wording.ts';
import { foreign, html } from '../html.ts';
import type { Page, PageRequest } from '../page.ts';
import { figure, state, tableOf } from '../pieces.ts';

/** `/machinery`: supervisors, their actors, what they are connected to. */
export async function machinery({ operators, now }: PageRequest): Promise<Page> {
  const looked = await overviewOf(operators, await operators.instances(), 5);
  const actors = looked.supervisors.flatMap(({ instance, actors: of }) => of.map((actor) => ({ instance, ...actor })));
  return {
    title: 'Machinery',
    sections: {
      supervisors: html`<h2>Supervisors</h2>
        ${tableOf(
          'Those that answer',
          ['Supervisor', 'Version', 'Up', 'Process', 'Memory'],
          looked.supervisors.map((it) => [
            it.instance,
            it.version,
            ageOf(it.started_at, now),
            it.pid,
            megabytes(it.rss_bytes),
          ]),
          { none: 'None answers.' },
        )}`,
      actors: html`<h2>Actors</h2>
        ${tableOf(
          'One for each scheduler and supervisor',
          ['Actor', 'On', 'State', 'Restarts', 'Mailbox', 'Failure'],
          actors.map((it) => [
            it.name,
            it.instance,
            state(it.phase === 'running' ? 'good' : 'bad', it.phase),
            it.restarts,
            figure(it.thread?.mailbox.depth ?? null),
            foreign(it.last_failure?.message ?? null),
          ]),
          { none: 'None runs.' },
        )}`,
    },
    command: ['rota', 'actors', 'list'],
    liveMs: 2_000,
  };
}
