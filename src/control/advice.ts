import type { RefusalReason } from '../tasks/refusal.ts';

/** What a refusal means, and the one thing that a person can do about it. */
export interface Advice {
  /** What is so, as a clause: `its clearance is too low`. */
  readonly says: string;
  readonly deed: string;
  /** Only time, or the kind of event, is in the way: a person may queue it all the same. Consent never is of time. */
  readonly ofTime?: true;
}

/** One for each reason: a new one does not compile without. */
export const adviceOn: Readonly<Record<RefusalReason, Advice>> = {
  'organisation-gone': {
    says: 'Katalogus does not know its organisation',
    deed: 'check the code of the organisation; if it was deleted, rota purge removes what it left',
  },
  'boefje-gone': {
    says: 'Katalogus does not know the boefje in this organisation',
    deed: 'check its id; if it should be there, see the plug-ins of the organisation in Katalogus',
  },
  'boefje-disabled': {
    says: 'the boefje is disabled in this organisation',
    deed: 'enable it in Katalogus: that is the consent of the organisation',
  },
  'not-a-boefje': {
    says: 'the plug-in of that id is no boefje',
    deed: 'name a boefje; normalizers are asked about by a raw file',
  },
  'not-consumed': {
    says: 'the plug-in does not consume this kind of input',
    deed: 'nothing: ask about an OOI or a raw file of a type that it consumes',
  },
  'ooi-gone': {
    says: 'Octopoes does not know the OOI in this organisation',
    deed: 'check the whole reference, such as Hostname|internet|example.com, and the organisation; what was deleted must be found again',
  },
  'no-scan-profile': {
    says: 'the OOI has no scan profile yet',
    deed: 'set its clearance in Rocky, or wait until Octopoes has computed one',
  },
  'scan-level-too-low': {
    says: 'its clearance is too low',
    deed: 'raise the clearance of the OOI in Rocky, or wait for one that it inherits',
  },
  'no-run-on': {
    says: 'the boefje runs on other operations than this',
    deed: 'wait for such an operation on the OOI, or queue it once by hand',
    ofTime: true,
  },
  'cron-unreadable': {
    says: 'its cron cannot be read, or never runs',
    deed: 'correct the cron of the boefje in Katalogus, or of the schedule: rota schedules set-cron',
  },
  'still-running': {
    says: 'its latest task is not finished',
    deed: 'wait for its end; if its worker is gone, its lease ends by itself, and rota tasks release is quicker',
  },
  'already-queued': { says: 'a task of it is queued already', deed: 'wait: its place in the queue tells how long' },
  'grace-period': {
    says: 'it ran less than its grace period ago',
    deed: 'wait until that is over, or queue it once by hand',
    ofTime: true,
  },
  failing: {
    says: 'it failed several times in a row, so its period grew',
    deed: 'mend why it fails (rota tasks list --failed shows the errors), then queue it once by hand',
    ofTime: true,
  },
  'schedule-disabled': {
    says: 'its schedule is disabled',
    deed: 'ask who disabled it (rota audit), then enable it: rota schedules enable',
  },
  'normalizer-disabled': {
    says: 'the normalizer is disabled in this organisation',
    deed: 'enable it in Katalogus, then have the raw file parsed again from Rocky',
  },
  'error-mime-type': {
    says: 'the raw file is the error of a boefje that failed',
    deed: 'mend why the boefje failed: the raw file in Bytes has its output',
  },
  'empty-raw-file': { says: 'the raw file is empty', deed: 'nothing: there is nothing in it to parse' },
  'no-mime-type': {
    says: 'the raw file has no mime types',
    deed: 'see what stored it: a boefje names the mime types of its output',
  },
  'queue-full': {
    says: 'the queue is full',
    deed: 'start more workers, or raise SCHEDULER_PQ_MAXSIZE; a push of priority 1 is taken all the same',
  },
  'rank-failed': {
    says: 'the ranker of its scheduler failed',
    deed: 'see the log of the supervisor for what it threw, and mend or change the ranker',
  },
};

/** How a scheduler gets another ranker. */
export function rankerAdvice(scheduler: string, ranker: string): string {
  const variable = `SCHEDULER_${scheduler.toUpperCase().replaceAll('-', '_')}_RANKER`;
  return `for this order set ${variable}=${ranker}, restart the supervisors, and rank anew (rota rerank ${scheduler})`;
}
