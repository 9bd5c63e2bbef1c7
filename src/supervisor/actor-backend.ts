import type { TaskQueue } from '../queue/queue.ts';
import type { ScheduleStore } from '../queue/schedules/schedule-store.ts';
import type { ActorBackend } from './requests.ts';

/** Answers the actors from the queue and the schedule store: the only two that know SQL. */
export function createActorBackend(queue: Pick<TaskQueue, 'push'>, schedules: ScheduleStore): ActorBackend {
  return {
    'push-tasks': async (scheduler, { tasks }) => queue.push(scheduler, tasks),
    'latest-tasks': async (scheduler, request) => schedules.latestTasks(scheduler, request),
    'claim-due-schedules': async (scheduler, request) => schedules.claimDueSchedules(scheduler, request),
    'settle-schedules': async (scheduler, request) => schedules.settleSchedules(scheduler, request),
    'read-schedules': async (scheduler, request) => schedules.readSchedules(scheduler, request),
    'schedules-of-boefje': async (scheduler, request) => schedules.schedulesOfBoefje(scheduler, request),
    'add-schedules': async (scheduler, request) => schedules.addSchedules(scheduler, request),
    'forget-oois': async (scheduler, request) => schedules.forgetOois(scheduler, request),
    'revoke-tasks': async (scheduler, request) => schedules.revokeTasks(scheduler, request),
    'enable-schedules': async (scheduler, request) => schedules.enableSchedules(scheduler, request),
    'delete-schedules': async (scheduler, request) => schedules.deleteSchedules(scheduler, request),
    'seen-boefjes': async (scheduler, request) => schedules.seenBoefjes(scheduler, request),
    'save-seen-boefjes': async (scheduler, request) => schedules.saveSeenBoefjes(scheduler, request),
  };
}
