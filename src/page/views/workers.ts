import { askEach } from '../../control/overview.ts';
import { mismatchOf } from '../../control/workers.ts';
import type { AskedImage, Finding } from '../../protocol/operator-status.ts';
import { address, foreign, type Html, html } from '../html.ts';
import type { PageRequest } from '../page.ts';
import { figure, secondsOf, state, tableOf, timeOf } from '../pieces.ts';

/** Parts of Machinery: who works, what is asked for, what is set, and what the doctor says. */

/** Of the database, and of ten statements and a look at the broker. */
const maxAge = { max_age_seconds: 5 };
const doctorMaxAge = { max_age_seconds: 30 };
/** An examination waits 2 s for each actor and the broker; a part of a page has 3 s. */
const doctorWithinMs = 2_700;

export async function workers({ operators, now }: PageRequest): Promise<Html> {
  const [held, demand] = await Promise.all([operators.ask('workers', maxAge), operators.ask('demand', maxAge)]);
  const { askedNotQueued, queuedNotAsked } = mismatchOf(demand, now);
  const known = held.leases_is_least ? `, of the ${held.leases.toLocaleString('en')} leases that end first` : '';
  const table = tableOf(
    `Who has tasks in hand${known}`,
    ['Worker', 'Via', 'Scheduler', 'Holds', 'Begun', 'Oldest', 'First lease ends'],
    held.results.map((it) => [
      foreign(it.worker),
      it.via,
      html`<a href="${address('/tasks', { scheduler: it.scheduler, status: it.begun > 0 ? 'running' : 'dispatched' })}"
        >${it.scheduler}</a
      >`,
      figure(it.holds),
      figure(it.begun),
      timeOf(it.oldest_at, now),
      timeOf(it.first_ends_at, now),
    ]),
    { none: 'Nobody has a task in hand: workers that wait are counted under Asking on the overview.' },
  );
  return html`${table} ${held.others > 0 && html`<p class="soft">and ${figure(held.others)} others that hold fewer</p>`}
    <h3>Queued, and nobody asks for it</h3>
    ${imagesOf(
      queuedNotAsked,
      'These wait for ever, unless a pop asks for their image',
      'None: of each image that waits, a pop asked within five minutes, by its name or for any.',
      now,
    )}
    <h3>Asked for, and nothing of it is queued</h3>
    ${imagesOf(askedNotQueued, 'Workers wait for these', 'None.', now)}
    <h3>When pops asked</h3>
    ${asked(demand, queuedNotAsked, now)}`;
}

/** Of one scheduler, that are told of. */
const mostImages = 100;

function imagesOf(images: readonly AskedImage[], caption: string, none: string, now: number): Html {
  return tableOf(
    caption,
    ['Image', 'Scheduler', 'Queued', 'Held', 'Next waited', 'Last asked by name'],
    images.map((it) => [
      foreign(it.image),
      it.scheduler,
      figure(it.queued, it.queued_is_least),
      figure(it.held),
      secondsOf(it.oldest_seconds),
      it.asked_at === null ? html`<span class="soft">not within the last week</span>` : timeOf(it.asked_at, now),
    ]),
    { none },
  );
}

/** Without those that are told of above. */
function asked(
  { any_image: any, images }: Parameters<typeof mismatchOf>[0],
  unasked: readonly AskedImage[],
  now: number,
): Html {
  return html`<ul>
      ${any.map(
        ({ scheduler, asked_at: at }) =>
          html`<li>
            ${scheduler}, any image:
            ${at === null ? 'no pop asked within the last week' : html`last asked ${timeOf(at, now)}`}
          </li>`,
      )}
    </ul>
    ${imagesOf(
      images.filter((image) => image.queued > 0 && !unasked.includes(image)),
      images.length < mostImages
        ? 'Images that are queued and that pops ask for, by name or for any'
        : 'Images that are queued and that pops ask for, by name or for any, of the first 100 of each scheduler',
      'Nothing that has an image is queued and asked for. Only tasks of boefjes that run in one have.',
      now,
    )}`;
}

const levels = { problem: 'bad', warning: 'warn', fine: 'good' } as const satisfies Record<Finding['level'], string>;

export async function doctor(instances: readonly string[], { operators }: PageRequest): Promise<Html> {
  const { answers, unanswered } = await askEach(operators, instances, 'doctor', doctorMaxAge, doctorWithinMs);
  const all = [
    ...unanswered.map(({ instance, why }) => ({
      instance,
      level: 'problem' as const,
      about: 'supervisor',
      finding: `not examined: ${why}`,
      advice: 'is its process alive? see its log',
    })),
    ...answers.flatMap(({ instance, findings }) => findings.map((finding) => ({ instance, ...finding }))),
  ];
  const told = all.filter(({ level }) => level !== 'fine');
  const rowsOf = (findings: typeof all) =>
    findings.map((it) => [
      state(levels[it.level], it.level),
      it.about,
      it.instance,
      foreign(it.finding),
      it.advice ?? '',
    ]);
  const head = ['Level', 'About', 'On', 'Finding', 'What to do'];
  const fine = all.filter(({ level }) => level === 'fine');
  return html`${tableOf('What is not as it should be', head, rowsOf(told), { none: html`${state('good', 'Nothing')} to be mended: ${answers.length === 1 ? 'its supervisor was' : `all ${answers.length} supervisors were`} examined.` })}
    <details>
      <summary>${fine.length} that are fine</summary>
      ${tableOf('What is as it should be', head, rowsOf(fine), { none: 'None.' })}
    </details>`;
}

/** Of one supervisor: others may have other environments, and `rota config --instance` tells theirs. */
export async function settings({ operators }: PageRequest): Promise<Html> {
  const { instance, values } = await operators.ask('config', {});
  const rowsOf = (some: typeof values) =>
    some.map(({ name, value, from, description }) => [
      html`<code title="${description}">${name}</code>`,
      foreign(value),
      from,
    ]);
  const head = ['Variable', 'Value', 'From'];
  const set = values.filter(({ from }) => from !== 'default');
  const defaults = values.filter(({ from }) => from === 'default');
  return html`${tableOf(`Set, on ${instance}`, head, rowsOf(set), { none: 'Nothing is set: all are defaults.' })}
    <details>
      <summary>${defaults.length} defaults</summary>
      ${tableOf('Defaults', head, rowsOf(defaults), { none: 'None.' })}
    </details>`;
}
