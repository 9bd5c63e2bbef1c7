import { onTestFinished } from 'vitest';
import { readCatalog } from '../../src/supervisor/catalog.ts';
import { monotonicMs, SharedClock } from '../../src/shared-clock.ts';
import type { ActorBackend } from '../../src/supervisor/requests.ts';
import { Supervisor, type SupervisorOptions } from '../../src/supervisor/supervisor.ts';
import type { ThreadSettings } from '../../src/supervisor/thread-data.ts';

const fixtureActors = new URL('../fixtures/actors/', import.meta.url);

/** A thread without KAT and without events. */
export const quietSettings: ThreadSettings = {
  scheduler: { gracePeriodSeconds: 86_400, jitterSeconds: 0 },
  kat: { katalogus: null, octopoes: null, bytes: null, bytesUser: null, bytesPassword: null },
  events: null,
  mailbox: { capacity: 100 },
  log: { format: 'json', debug: false },
  traces: false,
  clock: wallClock().memory,
};

/** The database's time, as good as this machine's. */
function wallClock(): SharedClock {
  const clock = new SharedClock();
  clock.set(Date.now() - monotonicMs());
  return clock;
}

/** Answers every request with nothing, unless the test says otherwise. */
export function backendOf(answers: Partial<ActorBackend> = {}): ActorBackend {
  return {
    'push-tasks': async () => [],
    'latest-tasks': async () => [],
    'failure-streaks': async () => [],
    'claim-due-schedules': async () => [],
    'settle-schedules': async () => null,
    'read-schedules': async () => [],
    'disabled-schedules': async () => [],
    'schedules-of-boefje': async () => [],
    'add-schedules': async () => ({ added: 0 }),
    'forget-oois': async () => ({ cancelled: 0, disabled: 0 }),
    'revoke-tasks': async () => ({ cancelled: 0, told: 0, more: false }),
    'enable-schedules': async () => ({ enabled: 0 }),
    'delete-schedules': async () => ({ deleted: 0 }),
    'seen-boefjes': async () => [],
    'save-seen-boefjes': async () => null,
    'set-default-limits': async () => null,
    ...answers,
  };
}

/** A supervisor of fixture actors, ended with the test. */
export async function supervise(
  actors: string,
  options: Partial<Omit<SupervisorOptions, 'catalog'>> = {},
): Promise<Supervisor> {
  const catalog = await readCatalog([fixtureActors], { only: actors });
  const supervisor = new Supervisor({ settings: quietSettings, backend: backendOf(), ...options, catalog });
  onTestFinished(() => supervisor.terminate());
  return supervisor;
}
