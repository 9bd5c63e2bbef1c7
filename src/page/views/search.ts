import { z } from 'zod';
import { listedText } from '../../control/paging.ts';
import { codeOf } from '../../errors.ts';
import { lengths } from '../../tasks/limits.ts';
import { address, each, foreign, html } from '../html.ts';
import { type Page, type PageRequest, parametersOf } from '../page.ts';

const parameters = z.object({ q: listedText(lengths.ooi).default('') });
const mostHits = 20;

interface Hit {
  readonly what: string;
  readonly name: string;
  readonly to: string;
}

/** `/search`: goes to the one thing that a text names, or lists those that it may. */
export async function search(request: PageRequest): Promise<Page> {
  const q = parametersOf(parameters, request.query).q.trim();
  if (q === '') return found(q, []);
  if (z.uuid().safeParse(q).success) {
    const to = await addressOfId(request, q.toLowerCase());
    return to === null ? found(q, []) : { title: 'Found', sections: {}, goTo: to };
  }
  if (q.includes('|')) return { title: 'Found', sections: {}, goTo: address('/tasks', { ooi: q }) };
  const hits = await named(request, q);
  const exact = hits.filter(({ name }) => name === q);
  const one = exact.length === 1 ? exact[0] : hits.length === 1 ? hits[0] : undefined;
  return one === undefined ? found(q, hits) : { title: 'Found', sections: {}, goTo: one.to };
}

/** Of a task or a schedule. */
async function addressOfId({ operators }: PageRequest, id: string): Promise<string | null> {
  const { results } = await operators.ask('task-details', { ids: [id] });
  if (results.length > 0) return `/tasks/${id}`;
  try {
    await operators.ask('schedule-details', { id });
    return address('/why', { id });
  } catch (error) {
    if (codeOf(error) === 'NOT_FOUND') return null;
    throw error;
  }
}

/** Organisations and plug-ins whose names begin so. */
async function named({ operators }: PageRequest, q: string): Promise<readonly Hit[]> {
  const prefix = q.slice(0, lengths.name);
  const [organisations, plugins] = await Promise.all([
    operators.ask('names', { kind: 'organisation', prefix, limit: mostHits }),
    operators.ask('names', { kind: 'boefje', prefix, limit: mostHits }),
  ]);
  return [
    ...organisations.results.map((name) => ({
      what: 'organisation',
      name,
      to: `/organisations/${encodeURIComponent(name)}`,
    })),
    ...plugins.results.map((plugin) => ({ what: 'plug-in', name: plugin, to: address('/tasks', { plugin }) })),
  ];
}

function found(q: string, hits: readonly Hit[]): Page {
  const none =
    q === ''
      ? html`<p class="empty">
          Type the id of a task or schedule, an OOI such as <code>Hostname|internet|example.com</code>, or the beginning
          of an organisation or plug-in.
        </p>`
      : html`<p class="empty">
          No task, schedule, organisation or plug-in is called ${foreign(q)}. What ended long ago is not kept.
        </p>`;
  const list = html`<ul class="hits">
    ${each(hits, ({ what, name, to }) => html`<li><a href="${to}">${foreign(name)}</a> <span class="soft">${what}</span></li>`)}
  </ul>`;
  return {
    title: 'Search',
    sections: {
      hits: html`${hits.length === 0 ? none : list}
      ${q !== '' && html`<p><a href="${address('/tasks', { ooi: q })}">Tasks whose OOI contains ${foreign(q)}</a></p>`}`,
    },
  };
}
