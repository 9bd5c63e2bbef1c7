import type { NewTask } from '../../../protocol/requests.ts';
import { reportHash } from '../../../tasks/data.ts';
import { boefjes, type SimulatedBoefje } from '../../plugins.ts';
import type { Random } from '../../random.ts';
import { createWorld, type SimulatedObject, type SimulatedOrganisation, type World } from '../../world.ts';
import type { VirtualClock } from '../clock.ts';
import type { KatState } from './kat-state.ts';
import type { MemorySchedules } from '../queue/memory-schedules.ts';

interface ActivityOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly world: World;
  readonly katState: KatState;
  readonly schedules: MemorySchedules;
  readonly push: (scheduler: string, task: NewTask) => void;
}

const minute = 60_000;
const hour = 60 * minute;
/** A day has so many changes of each kind for each hundred objects. */
const perDay = { touched: 24, found: 6, removed: 4, levelled: 6, toggled: 1, asked: 6, reported: 4 };

/** What goes on in a KAT without any fault: objects come, change and leave, boefjes are enabled, people ask for runs and reports. */
export class Activity {
  readonly #options: ActivityOptions;
  readonly #organisations: readonly SimulatedOrganisation[];

  constructor(options: ActivityOptions) {
    this.#options = options;
    this.#organisations = [...options.world.organisations.values()];
  }

  start(): void {
    const { katState, random } = this.#options;
    const objects = this.#organisations.reduce((sum, { objects: those }) => sum + those.size, 0);
    const often = (times: number, run: (organisation: SimulatedOrganisation) => void) => {
      const everyMs = (24 * hour) / Math.max(1, (times * objects) / 100);
      const again = () => {
        run(random.pick(this.#organisations));
        this.#options.clock.settleAfter(everyMs * (0.5 + random.next()), again);
      };
      this.#options.clock.settleAfter(everyMs * random.next(), again);
    };
    often(perDay.touched, (organisation) =>
      this.#withObject(organisation, (object) => katState.touch(organisation, object)),
    );
    often(perDay.found, () => katState.find());
    often(perDay.removed, (organisation) =>
      this.#withObject(organisation, (object) => katState.remove(organisation, object)),
    );
    often(perDay.levelled, (organisation) =>
      this.#withObject(organisation, (object) => katState.setLevel(organisation, object, random.integer(5))),
    );
    often(perDay.toggled, (organisation) => this.#toggle(organisation));
    often(perDay.asked, (organisation) => this.#ask(organisation));
    often(perDay.reported, (organisation) => this.#report(organisation));
    for (const organisation of this.#organisations) this.#schedule(organisation);
  }

  #withObject({ objects }: SimulatedOrganisation, run: (object: SimulatedObject) => void): void {
    if (objects.size > 1) run(this.#options.random.pick([...objects.values()]));
  }

  #toggle(organisation: SimulatedOrganisation): void {
    const { katState, random } = this.#options;
    const plugin = random.pick(boefjesOf(organisation));
    katState.enable(organisation, plugin, !plugin.enabled);
  }

  /** A person starts a boefje on an object by hand. */
  #ask(organisation: SimulatedOrganisation): void {
    const { katState, push, random } = this.#options;
    this.#withObject(organisation, (object) => {
      const able = tasksFor(katState, organisation, object);
      if (able.length > 0) push('boefje', { ...random.pick(able), priority: 1 });
    });
  }

  #report({ id: organisation, recipes }: SimulatedOrganisation): void {
    const recipe = this.#options.random.pick(recipes);
    const data = { organisation_id: organisation, report_recipe_id: recipe };
    this.#options.push('report', { organisation, data, priority: 1 });
  }

  /** The first report of each organisation is made each night. */
  #schedule({ id: organisation, recipes: [recipe] }: SimulatedOrganisation): void {
    if (recipe === undefined) return;
    const data = { organisation_id: organisation, report_recipe_id: recipe };
    const hash = reportHash({ recipeId: recipe, organisation });
    const deadlineAt = new Date(this.#options.clock.now + 4 * hour).toISOString();
    this.#options.schedules.add('report', [
      { organisation, hash, data, recurrence: { schedule: '0 4 * * *', deadlineAt } },
    ]);
  }
}

/** A task of each boefje that may run on an object. */
export function tasksFor(
  katState: KatState,
  organisation: SimulatedOrganisation,
  { reference, objectType }: SimulatedObject,
): readonly NewTask[] {
  return boefjesOf(organisation)
    .filter(
      ({ id, consumes }) =>
        consumes.includes(objectType) && katState.refusalOf(organisation.id, id, reference) === null,
    )
    .map(({ id, name, version, oci_image }) => {
      const boefje = { id, name, version, oci_image };
      const about = { input_ooi: reference, organization: organisation.id };
      return { organisation: organisation.id, data: { boefje, ...about, deduplication_key: null, dispatches: [] } };
    });
}

export function boefjesOf(organisation: SimulatedOrganisation): readonly SimulatedBoefje[] {
  return [...organisation.plugins.values()].filter((it) => it.type === 'boefje');
}

interface WorldOfDays {
  readonly organisations: number;
  readonly objects: number;
  readonly seed: number;
  readonly boefjes?: number;
}

/** With boefjes that have an interval, a cron and operations among those that ship, which have none. */
export function worldOf(options: WorldOfDays): World {
  const { organisations, objects, seed, boefjes: enabled = boefjes().length } = options;
  const world = createWorld({ organisations, objects, boefjes: enabled, seed });
  for (const organisation of world.organisations.values()) {
    const [first, second, third] = boefjesOf(organisation).filter(
      ({ id, consumes }) => id !== 'dns-records' && consumes.includes('Hostname'),
    );
    if (first !== undefined) first.interval = 12 * 60;
    if (second !== undefined) second.cron = '0 3 * * *';
    if (third !== undefined) third.run_on = ['create'];
  }
  return world;
}
