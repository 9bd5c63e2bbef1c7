import type { NewTask } from '../../protocol/requests.ts';
import type { KatServiceName } from '../kat.ts';
import type { Random } from '../random.ts';
import type { SimulatedOrganisation, World } from '../world.ts';
import type { VirtualClock } from './clock.ts';
import type { KatState } from './kat/kat-state.ts';
import type { Journal } from './journal.ts';
import type { SimulatedQueue } from './queue/simulated-queue.ts';
import type { Settlement } from './queue/settlement.ts';
import type { SimulatedSupervisor } from './supervisor.ts';
import type { FaultTimes } from './fault-times.ts';
import { boefjesOf, tasksFor } from './kat/activity.ts';
import type { Unit } from './queue/scheduler-tasks.ts';
import type { Lapse } from './workers.ts';

/** What may go wrong: services that are out, a supervisor that is killed, a clock that is set, what operators do, bursts, workers and events. */
export const faultKinds = [
  'katalogus',
  'octopoes',
  'bytes',
  'database',
  'supervisor',
  'clock',
  'pauses',
  'cancels',
  'burst',
  'enabling',
  'clearances',
  'workers',
  'events',
] as const;
export type FaultKind = (typeof faultKinds)[number];

interface FaultsOptions {
  readonly kinds: ReadonlySet<FaultKind>;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly journal: Journal;
  readonly world: World;
  readonly katState: KatState;
  readonly queue: SimulatedQueue;
  readonly settlement: Settlement;
  readonly supervisor: SimulatedSupervisor;
  readonly faultTimes: FaultTimes;
  readonly push: (scheduler: string, tasks: readonly NewTask[]) => void;
  readonly supervisorDied: () => void;
  /** The database's clock is set by so much. */
  readonly stepClock: (ms: number) => void;
}

const minute = 60_000;
const hour = 60 * minute;
/** One of the faults below happens so often. */
const everyMs = 3 * hour;
/** Shares of units over which a worker goes wrong. */
const lapses = { dies: 0.004, 'falls-silent': 0.002, 'never-begins': 0.002 } as const;
/** Share of the tasks at which a worker dies that end every other one, too: by chance alone a task would never use up its attempts. */
const deadly = 0.25;
/** Share of events that come twice, and of those that come late. */
const twice = 0.02;
const late = 0.02;

/** What goes wrong in a simulation, by its seed: what a drill does to real processes, over days. */
export class Faults {
  readonly #options: FaultsOptions;
  readonly #out = new Map<KatServiceName, number>();
  readonly #kinds: readonly (readonly [FaultKind, () => void])[];
  /** Tasks that end each worker that begins them. */
  readonly #deadly = new Set<string>();

  constructor(options: FaultsOptions) {
    this.#options = options;
    this.#kinds = [
      ['katalogus', () => this.#outage('katalogus')],
      ['octopoes', () => this.#outage('octopoes')],
      ['bytes', () => this.#outage('bytes')],
      ['database', () => this.#databaseOut()],
      ['supervisor', () => this.#killSupervisor()],
      ['clock', () => this.#stepClock()],
      ['pauses', () => this.#pause()],
      ['cancels', () => this.#cancel()],
      ['burst', () => this.#burst()],
      ['enabling', () => this.#enableEverywhere()],
      ['clearances', () => this.#lowerClearances()],
    ] satisfies [FaultKind, () => void][];
    this.#kinds = this.#kinds.filter(([kind]) => options.kinds.has(kind));
  }

  start(): void {
    const { clock, random, journal } = this.#options;
    if (this.#kinds.length === 0) return;
    const again = () => {
      const [name, happen] = random.pick(this.#kinds);
      journal.note(`fault: ${name}`);
      happen();
      clock.settleAfter(everyMs * (0.2 + 1.6 * random.next()), again);
    };
    clock.settleAfter(everyMs * random.next(), again);
  }

  isOut(service: KatServiceName): boolean {
    return this.#options.clock.now < (this.#out.get(service) ?? 0);
  }

  lapse([head]: Unit): Lapse | null {
    const { kinds, random } = this.#options;
    if (!kinds.has('workers')) return null;
    if (this.#deadly.has(head!.id)) return 'dies';
    const draw = random.next();
    if (draw < lapses.dies) {
      if (draw < lapses.dies * deadly) this.#deadly.add(head!.id);
      return 'dies';
    }
    if (draw < lapses.dies + lapses['falls-silent']) return 'falls-silent';
    return draw < lapses.dies + lapses['falls-silent'] + lapses['never-begins'] ? 'never-begins' : null;
  }

  /** How late each copy of an event comes, beside its own time. */
  copies(): readonly number[] {
    const { kinds, random } = this.#options;
    if (!kinds.has('events')) return [0];
    const delay = random.chance(late) ? random.integer(2 * minute) : 0;
    return random.chance(twice) ? [delay, delay + random.integer(30_000)] : [delay];
  }

  #lasting(most: number, isOutage: boolean): number {
    const { random, faultTimes } = this.#options;
    const ms = minute + random.integer(most);
    faultTimes.lasts(ms, isOutage);
    return ms;
  }

  #outage(service: KatServiceName): void {
    this.#out.set(service, this.#options.clock.now + this.#lasting(2 * hour, true));
  }

  #databaseOut(): void {
    this.#options.supervisor.loseDatabase(this.#lasting(30 * minute, true));
  }

  #killSupervisor(): void {
    const { clock, supervisor, supervisorDied } = this.#options;
    if (!supervisor.serves) return;
    supervisor.kill();
    supervisorDied();
    clock.settleAfter(this.#lasting(10 * minute, true), () => supervisor.start());
  }

  #stepClock(): void {
    const { random, stepClock } = this.#options;
    stepClock((random.chance(0.5) ? 1 : -1) * (1_000 + random.integer(5 * minute)));
    this.#lasting(minute, true);
  }

  #pause(): void {
    const { clock, queue, random } = this.#options;
    const { id } = this.#organisation();
    const pause = { scheduler: 'boefje', organisation: random.chance(0.2) ? null : id, plugin: null };
    queue.pause(pause);
    clock.settleAfter(this.#lasting(4 * hour, false), () => queue.resume(pause));
  }

  /** An operator cancels some of what is queued or runs. */
  #cancel(): void {
    const { queue, random, settlement } = this.#options;
    for (const { rows } of queue.schedulers())
      for (const row of rows.byHash.values())
        if (random.chance(0.2))
          settlement.apply({ id: row.id, leaseId: null, status: 'cancelled', reason: 'operator' });
    for (const row of queue.leases)
      if (random.chance(0.2)) settlement.apply({ id: row.id, leaseId: null, status: 'cancelled', reason: 'operator' });
  }

  /** A person asks for every boefje on every object of an organisation at once, and not before others. */
  #burst(): void {
    const organisation = this.#organisation();
    const { katState, push } = this.#options;
    const tasks = [...organisation.objects.values()].flatMap((object) => tasksFor(katState, organisation, object));
    push('boefje', tasks);
  }

  #enableEverywhere(): void {
    const { katState, random, world } = this.#options;
    const { id } = random.pick(boefjesOf(this.#organisation()));
    for (const organisation of world.organisations.values()) {
      const plugin = organisation.plugins.get(id);
      if (plugin?.type === 'boefje') katState.enable(organisation, plugin, true);
    }
  }

  #lowerClearances(): void {
    const { katState, random } = this.#options;
    const organisation = this.#organisation();
    for (const object of organisation.objects.values())
      if (random.chance(0.3)) katState.setLevel(organisation, object, Math.max(0, (object.level ?? 0) - 1));
  }

  #organisation(): SimulatedOrganisation {
    const { random, world } = this.#options;
    return random.pick([...world.organisations.values()]);
  }
}
