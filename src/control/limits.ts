import { z } from 'zod';
import { RotaError } from '../errors.ts';
import type { Limits, NewLimit } from '../queue/limits/limits.ts';
import type { HeldByLimit, Limit } from '../queue/limits/view.ts';
import { lengths } from '../tasks/limits.ts';
import { aged, type CommandAudit, command, maxAge, type SomeCommands } from './operator-command.ts';
import { limitBody, limitOf, name, text, windowBody, windowOf } from './limit-bodies.ts';
import { Recent, recent } from './recent.ts';
import { countedAtMost, holdingOf, iso, limitView, windowView } from './limit-views.ts';

export interface LimitPorts {
  readonly limits: Pick<Limits, 'list' | 'set' | 'unset' | 'held' | 'places'>;
  readonly schedulerIds: readonly string[];
  readonly now: () => number;
  readonly audit: CommandAudit;
}

/** All are read at each pass. */
const mostLimits = 1_000;

const tested = z.strictObject({
  scheduler: text(lengths.name).default('boefje'),
  organisation: text(lengths.organisation).default('any'),
  boefje: text(lengths.name).nullish(),
  image: text(lengths.name).nullish(),
  ooi: text(lengths.ooi).nullish(),
  manual: z.boolean().default(false),
  ...maxAge,
});

/** What may run how often, how many at once, and when. */
export function limitCommands(ports: LimitPorts) {
  const { limits, audit, now } = ports;
  // Each counts up to 10 000 rows of each limit.
  const all = recent(() => listed(ports));
  const places = new Recent<Awaited<ReturnType<Limits['places']>>>();
  return {
    limits: command('read', aged, async ({ max_age_seconds: seconds }) => ({
      results: (await all(seconds * 1_000)).flatMap(([limit, held]) =>
        limit.kind === 'limit' ? [limitView(limit, held)] : [],
      ),
    })),

    'set-limit': command('operate', limitBody, async (body, { by }) => {
      const { note = null, ...rest } = body;
      const added = await set(ports, { ...limitOf(body), kind: 'limit', note, setBy: by });
      audit('set-limit', by, { ...rest, added, ...(note === null ? {} : { note }) });
      return { name: body.name, added };
    }),

    'unset-limit': command('operate', z.strictObject({ name }), ({ name }, { by }) => unset(ports, name, 'limit', by)),

    'test-limit': command('read', tested, async (body) => {
      const { boefje = null, image = null, ooi = null, max_age_seconds: seconds, ...task } = body;
      const about = { ...task, plugin: boefje, image, ooi };
      const ask = () => limits.places(about, null);
      const found = await places.of(JSON.stringify(about), seconds * 1_000, ask);
      const results = found.map((place) => holdingOf(place, now()));
      const times = results.map(({ starts_at: at }) => at);
      return {
        results,
        starts_at: times.includes(null)
          ? null
          : (times
              .filter((at) => at !== null)
              .toSorted()
              .at(-1) ?? iso(now())),
      };
    }),

    windows: command('read', aged, async ({ max_age_seconds: seconds }) => ({
      results: (await all(seconds * 1_000)).flatMap(([limit, held]) =>
        limit.kind === 'window' ? [windowView(limit, held, now())] : [],
      ),
    })),

    'set-window': command('operate', windowBody, async (body, { by }) => {
      const { note = null, ...rest } = body;
      const added = await set(ports, { ...windowOf(body, now()), kind: 'window', note, setBy: by });
      audit('set-window', by, { ...rest, added, ...(note === null ? {} : { note }) });
      return { name: body.name, added };
    }),

    'unset-window': command('operate', z.strictObject({ name }), ({ name }, { by }) =>
      unset(ports, name, 'window', by),
    ),
  } satisfies SomeCommands;
}

/**
 * A change names the tasks and the key again: what is left out is any, and a limit of one boefje would become one of all tasks.
 * @throws RotaError CONFLICT where the name is taken by the other kind, what it is for would get lost, or there are too many; NOT_FOUND
 * where it names a scheduler that there is not
 */
async function set({ limits, schedulerIds }: LimitPorts, limit: NewLimit): Promise<boolean> {
  const { scheduler } = limit;
  if (scheduler !== null && !schedulerIds.includes(scheduler))
    throw new RotaError('NOT_FOUND', `no scheduler ${scheduler}; there are: ${schedulerIds.join(', ')}`);
  const { limits: known } = await limits.list();
  const same = known.find(({ name }) => name === limit.name);
  // A default of Katalogus is one of its name and no more: an operator's takes its place.
  const isOwn = same !== undefined && same.kind === limit.kind && same.setBy !== 'katalogus';
  const lost = isOwn ? lostBy(same, limit) : [];
  if (lost.length > 0)
    throw new RotaError(
      'CONFLICT',
      `${limit.name} is for ${lost.join(', ')}: name that again, or end it first for another meaning`,
    );
  if (same !== undefined && same.kind !== limit.kind)
    throw new RotaError(
      'CONFLICT',
      `${limit.name} is a ${same.kind} already: choose another name, or end that one first`,
    );
  if (same === undefined && known.length >= mostLimits)
    throw new RotaError('CONFLICT', `there are ${mostLimits} limits and windows already: end one first`);
  return limits.set(limit);
}

function lostBy(before: Limit, after: NewLimit): readonly string[] {
  const { scheduler, organisation, plugin, image, ooiType } = before;
  const kept = { scheduler, organisation, boefje: plugin, image, ooi_type: ooiType };
  const given = [after.scheduler, after.organisation, after.plugin, after.image, after.ooiType];
  const matches = Object.entries(kept).filter(([, value], at) => value !== null && given[at] === null);
  const isKeyLost = before.template !== after.template && after.template === 'all';
  return [...matches, ...(isKeyLost ? [['key', before.template]] : [])].map(([field, value]) => `${field} ${value}`);
}

async function unset({ limits, audit }: LimitPorts, name: string, kind: Limit['kind'], by: string | null) {
  if (!(await limits.unset(name, kind))) {
    const known = (await limits.list()).limits.filter((limit) => limit.kind === kind).map((limit) => limit.name);
    throw new RotaError('NOT_FOUND', `no ${kind} ${name}; there are: ${known.join(', ') || 'none'}`);
  }
  audit(`unset-${kind}`, by, { name });
  return { name };
}

async function listed({ limits }: LimitPorts): Promise<readonly (readonly [Limit, HeldByLimit])[]> {
  const { limits: of } = await limits.list();
  const held = await limits.held(
    of.map(({ name }) => name),
    countedAtMost,
  );
  return of.map((limit, at) => [limit, held[at]!] as const);
}
