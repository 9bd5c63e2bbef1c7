import type { CorrectSchedules, Explain, LookForNewBoefjes, Reschedule } from '../../src/protocol/commands.ts';
import type { ScanProfileMutated } from '../../src/protocol/events.ts';
import type { SchedulerDefinition } from '../../src/protocol/scheduler.ts';
import { correctSchedules } from './correction.ts';
import { explaining } from './explain.ts';
import { handleMutations } from './mutations.ts';
import { newBoefjeLook } from './new-boefjes.ts';
import { reschedule } from './rescheduling.ts';
import { Revocations } from './revocation.ts';

type BoefjeMessage = ScanProfileMutated | LookForNewBoefjes | Reschedule | CorrectSchedules | Explain;

/** Decides which boefje runs on which OOI: on scan profile mutations, for newly enabled boefjes, and by schedule. */
const boefje: SchedulerDefinition<BoefjeMessage> = {
  type: 'boefje',
  itemType: 'BoefjeTask',
  ranker: 'fair-share',
  streams: ['scan_profile_mutations'],
  clocks: [
    { message: { kind: 'look-for-new-boefjes' }, everyMs: 60_000 },
    { message: { kind: 'reschedule' }, everyMs: 60_000 },
  ],
  start: (setup) => {
    const revocations = new Revocations();
    const look = newBoefjeLook(setup, revocations);
    return {
      'scan-profile-mutated': (batch) => handleMutations(setup, revocations, batch),
      'look-for-new-boefjes': look,
      reschedule: (batch) => reschedule(setup, revocations, batch),
      'correct-schedules': (batch) => correctSchedules(setup, batch),
      explain: explaining(setup),
    };
  },
};

export default boefje;
