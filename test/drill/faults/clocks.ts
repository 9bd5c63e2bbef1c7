import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Drill, Fault } from '../fault.ts';
import { askRest } from '../wire.ts';
import { Runner } from '../load/runner.ts';

const scheduled = 5;
const minuteMs = 60_000;

/**
 * The supervisors' clocks are wrong, the database's is right: schedules with a cron for each minute are due at the next one,
 * are looked at every half second for 20 s, and may run once.
 */
function wrongClock(name: string, about: string, clockShiftMs: number): Fault {
  return {
    name,
    about,
    seconds: 120,
    scene: { clockShiftMs },
    run: runSchedules,
  };
}

async function runSchedules(drill: Drill): Promise<void> {
  const { scene, load, broke, over } = drill;
  const supervisor = scene.supervisors[0]!;
  const { answers, ledger, organisation } = load;
  // A report that is queued or runs would hold back the next one.
  const runner = new Runner({ supervisor, answers, ledger, scheduler: 'report' });
  // Not so near to the next minute that it begins before they are there.
  if (Date.now() % minuteMs > 50_000) await delay(minuteMs - (Date.now() % minuteMs));
  const createdAt = Date.now();
  for (let number = 0; number < scheduled; number += 1) {
    const data = { type: 'report', organisation_id: organisation, report_recipe_id: randomUUID() };
    const body = { scheduler_id: 'report', organisation, data, schedule: '* * * * *' };
    const answer = await askRest(answers, { kind: 'push', to: 0, url: `${supervisor.api}/schedules`, body });
    if (answer.outcome !== 'ok') throw new Error(`a schedule is refused: ${answer.detail}`);
  }
  const rows = await scene.postgres.query<{ deadline_at: Date }>(
    "SELECT deadline_at FROM schedules WHERE scheduler_id = 'report' AND organisation = $1",
    [organisation],
  );
  const next = Math.ceil(createdAt / minuteMs) * minuteMs;
  const wrong = rows.filter(({ deadline_at: at }) => at.getTime() < createdAt || at.getTime() > next + minuteMs);
  if (wrong.length > 0) {
    const minutes = Math.round((wrong[0]!.deadline_at.getTime() - next) / minuteMs);
    broke('schedules run once per deadline', `${wrong.length} new schedules are due ${minutes} minutes off`);
  }
  // From here on it is the rescheduling that is looked at, whatever the first deadline came to.
  await scene.postgres.query(
    "UPDATE schedules SET deadline_at = $2 WHERE scheduler_id = 'report' AND organisation = $1",
    [organisation, new Date(next)],
  );
  while (Date.now() < next + 20_000) {
    if (Date.now() > next) await reschedule(drill);
    await delay(500);
  }
  over();
  runner.stop();
  const runs = await scene.postgres.query<{ runs: number }>(
    `SELECT count(t.id)::int AS runs FROM schedules s LEFT JOIN tasks t ON t.schedule_id = s.id
      WHERE s.scheduler_id = 'report' AND s.organisation = $1 GROUP BY s.id`,
    [organisation],
  );
  const often = runs.map(({ runs }) => runs).filter((runs) => runs !== 1);
  if (often.length > 0) {
    broke('schedules run once per deadline', `${often.length} of ${scheduled} schedules ran ${often.join(', ')} times`);
  }
}

async function reschedule({ load }: Drill): Promise<void> {
  await load.nats.request('rota.ctl.reschedule', '{"actor":"report"}', { timeout: 5_000 }).catch(() => {});
}

export const clockFaults: readonly Fault[] = [
  wrongClock('clock-behind', 'the supervisors’ clocks are 45 s behind the database’s', -45_000),
  wrongClock('clock-ahead', 'the supervisors’ clocks are 2 h ahead of the database’s', 7_200_000),
];
