import type { Revocation, SeenBoefjes, SupervisorRequests } from '../../../protocol/requests.ts';
import type { ScheduleStore } from '../../../queue/schedules/schedule-store.ts';
import { type PastTask, streakOf } from '../../../queue/schedules/streak.ts';
import type { SimulatedQueue } from './simulated-queue.ts';
import type { MemorySchedules } from './memory-schedules.ts';
import { dueOf } from './stored-schedule.ts';
import type { Row } from './rows.ts';
import type { Settlement } from './settlement.ts';

interface StoreParts {
  readonly queue: SimulatedQueue;
  readonly schedules: MemorySchedules;
  readonly settlement: Settlement;
}

const isAway = new Set<string | null>(['boefje-disabled', 'boefje-gone', 'organisation-gone']);

/** What scheduler actors ask of the database, answered from memory: src/queue/schedules/schedule-store.ts on Postgres. */
export function createMemoryStore({ queue, schedules, settlement }: StoreParts): ScheduleStore {
  const seen = new Map<string, SeenBoefjes>();
  const cancel = (row: Row, reason: string) =>
    settlement.apply({ id: row.id, leaseId: null, status: 'cancelled', rota: true, reason });

  return {
    async latestTasks(scheduler, { hashes }) {
      const tasks = queue.of(scheduler);
      return [...new Set(hashes)].flatMap((hash) => {
        const row = tasks.latest(hash);
        return row === undefined ? [] : [latestOf(row)];
      });
    },

    async failureStreaks(scheduler, { hashes }) {
      const { history } = queue.of(scheduler);
      return [...new Set(hashes)].flatMap(
        (hash) => streakOf((history.get(hash) ?? []).toReversed().map(pastTaskOf)) ?? [],
      );
    },

    async claimDueSchedules(scheduler, { limit, except = [] }) {
      return schedules.claimDue(scheduler, limit, except);
    },

    async settleSchedules(scheduler, { settlements }) {
      const disabledBy = new Map(settlements.map(({ id, disabled }) => [id, disabled ?? null]));
      for (const { id, organisation, boefje, enabled } of schedules.settle(scheduler, settlements)) {
        const known = seen.get(organisation);
        if (enabled || known === undefined || boefje === null || !isAway.has(disabledBy.get(id) ?? null)) continue;
        seen.set(organisation, { ...known, boefjes: known.boefjes.filter((other) => other !== boefje) });
      }
      return null;
    },

    async readSchedules(scheduler, { ids }) {
      return schedules.read(scheduler, ids);
    },

    async disabledSchedules(scheduler, { ids }) {
      return schedules.read(scheduler, ids).flatMap(({ id, enabled }) => (enabled ? [] : [id]));
    },

    async schedulesOfBoefje(scheduler, { organisation, boefje, after, limit }) {
      return [...schedules.of(organisation)]
        .filter((it) => it.scheduler === scheduler && it.boefje === boefje && (after === null || it.id > after))
        .filter(
          ({ enabled, disabledReason: reason }) => enabled || reason === 'run-on-only' || reason === 'cron-unreadable',
        )
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map(dueOf);
    },

    async addSchedules(scheduler, request) {
      return { added: schedules.add(scheduler, request.schedules) };
    },

    async forgetOois(scheduler, { oois }) {
      let [cancelled, disabled] = [0, 0];
      for (const { organisation, ooi } of oois) {
        for (const schedule of schedules.ofOoi(organisation, ooi)) {
          if (schedule.scheduler !== scheduler || !schedule.enabled) continue;
          schedules.disable(schedule, 'ooi-gone');
          disabled += 1;
        }
        for (const row of queue.of(scheduler).rows.byHash.values()) {
          if (row.organisation !== organisation || row.data['input_ooi'] !== ooi) continue;
          cancel(row, 'ooi-gone');
          cancelled += 1;
        }
      }
      return { cancelled, disabled };
    },

    async revokeTasks(scheduler, { revocations }) {
      return revoke(queue, scheduler, revocations, cancel);
    },

    async enableSchedules(scheduler, request) {
      const reasons = new Set<string>([...request.reasons, 'unknown']);
      const boefjes = 'oois' in request ? null : (request.boefjes ?? null);
      const found =
        'oois' in request
          ? request.oois.flatMap(({ organisation, ooi }) => [...schedules.ofOoi(organisation, ooi)])
          : [...schedules.of(request.organisation)];
      let enabled = 0;
      for (const schedule of new Set(found)) {
        if (schedule.scheduler !== scheduler) continue;
        if (schedule.enabled && 'oois' in request && schedule.claimedUntil !== null) schedules.unclaim(schedule);
        if (schedule.enabled || !reasons.has(schedule.disabledReason ?? '')) continue;
        if (boefjes !== null && (schedule.boefje === null || !boefjes.includes(schedule.boefje))) continue;
        schedules.enable(schedule);
        enabled += 1;
      }
      return { enabled };
    },

    async deleteSchedules(_scheduler, { hashes }) {
      return { deleted: [...new Set(hashes)].filter((hash) => schedules.delete(hash)).length };
    },

    async seenBoefjes(_scheduler, { organisations }) {
      if (organisations === undefined) return [...seen.values()];
      return organisations.flatMap((organisation) => seen.get(organisation) ?? []);
    },

    async saveSeenBoefjes(_scheduler, request) {
      for (const entry of request.seen) seen.set(entry.organisation, entry);
      return null;
    },

    // Those of Katalogus: the simulated one gives none.
    async setDefaultLimits() {
      return null;
    },

    async scheduleLag() {
      return 0;
    },
  };
}

function revoke(
  queue: SimulatedQueue,
  scheduler: string,
  revocations: readonly Revocation[],
  cancel: (row: Row, reason: string) => void,
): SupervisorRequests['revoke-tasks']['reply'] {
  const tasks = queue.of(scheduler);
  let [cancelled, told] = [0, 0];
  for (const revocation of revocations) {
    if ('hash' in revocation) {
      const row = tasks.rows.byHash.get(revocation.hash);
      if (row !== undefined) {
        cancel(row, revocation.reason);
        cancelled += 1;
      }
      if (tasks.latest(revocation.hash)?.status === 'dispatched') told += 1;
      continue;
    }
    const enabled = new Set(revocation.enabled);
    const disabled = new Set(revocation.disabled);
    for (const row of tasks.rows.byHash.values()) {
      if (row.organisation !== revocation.organisation || row.plugin === null || enabled.has(row.plugin)) continue;
      cancel(row, disabled.has(row.plugin) ? 'boefje-disabled' : 'boefje-gone');
      cancelled += 1;
    }
    for (const { scheduler: of, status, organisation, plugin } of queue.leases)
      if (of === scheduler && status === 'dispatched' && organisation === revocation.organisation)
        if (plugin !== null && !enabled.has(plugin)) told += 1;
  }
  return { cancelled, told, more: false };
}

function latestOf({ hash, id, status, createdAt, modifiedAt }: Row) {
  return { hash, id, status, createdAt, modifiedAt };
}

/** As failure-streaks.sql reads it. */
function pastTaskOf({ hash, status, data, modifiedAt: modified_ms }: Row): PastTask {
  const { boefje } = data as { boefje?: { version?: string | null; oci_image?: string | null } };
  return { hash, status, version: boefje?.version ?? null, image: boefje?.oci_image ?? null, modified_ms };
}
