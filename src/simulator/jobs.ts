import { setTimeout as delay } from 'node:timers/promises';
import type { BoefjeData, NormalizerData } from '../tasks/data.ts';
import type { LeasedTask } from '../tasks/task.ts';
import type { BytesClient } from './bytes-client.ts';
import { boefjeRun, type EventPublisher, scanProfileMutation } from './events.ts';
import type { Random } from './random.ts';
import { discover, type World } from './world.ts';

export interface JobSettings {
  readonly world: World;
  readonly bytes: BytesClient;
  readonly publisher: EventPublisher;
  readonly random: Random;
  /** Share of tasks that fail. */
  readonly fail: number;
}

export type Job = (task: LeasedTask) => Promise<'completed' | 'failed'>;

/** Short enough that a demo of seconds sees thousands of tasks, long enough that workers are busy now and then. */
const workMs = { boefje: [20, 80], normalizer: [10, 40], report: [30, 100] } as const;
/** Every third parsing finds a new object, until none is left to be found. */
const findsObject = 1 / 3;

/** What workers do with a task, by scheduler. */
export function jobs(settings: JobSettings): Readonly<Record<'boefje' | 'normalizer' | 'report', Job>> {
  const { world, bytes, publisher, random, fail } = settings;
  const work = async (kind: keyof typeof workMs) => {
    const [least, most] = workMs[kind];
    const ms = least + random.next() * (most - least);
    await delay(ms);
    return ms;
  };

  return {
    /** Scans: stores what it found in Bytes, which announces it. A boefje that fails leaves its error there. */
    boefje: async (task) => {
      const { boefje, input_ooi: inputOoi, organization: organisation } = task.data as unknown as BoefjeData;
      const tookMs = await work('boefje');
      const run = boefjeRun({ id: task.id, boefje: boefje.id, inputOoi, organisation, tookMs });
      if (random.chance(fail)) {
        await bytes.store(run, 'FAILED', ['error/boefje']);
        return 'failed';
      }
      const produces = world.organisations.get(organisation)?.plugins.get(boefje.id)?.produces ?? [];
      await bytes.store(run, 'COMPLETED', [...new Set([...produces, `boefje/${boefje.id}`])]);
      return 'completed';
    },

    /** Parses: what it finds makes Octopoes announce a scan profile. */
    normalizer: async (task) => {
      await work('normalizer');
      if (random.chance(fail)) return 'failed';
      const { raw_data: raw } = task.data as unknown as NormalizerData;
      const organisation = world.organisations.get(raw.boefje_meta.organization);
      const found = organisation !== undefined && random.chance(findsObject) ? discover(organisation) : null;
      if (organisation !== undefined && found !== null) {
        await publisher.publish('scan_profile_mutations', scanProfileMutation(organisation.id, 'create', found));
      }
      return 'completed';
    },

    report: async () => {
      await work('report');
      return random.chance(fail) ? 'failed' : 'completed';
    },
  };
}
