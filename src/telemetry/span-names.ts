/** mula's methods for what a scheduler's handlers do, by kind of message. */
const methods: Readonly<Record<string, string>> = {
  'scan-profile-mutated': 'process_mutations',
  'look-for-new-boefjes': 'process_new_boefjes',
  'raw-file-received': 'process_raw_data',
  reschedule: 'process_rescheduling',
};

/** Of a batch of messages in an actor: `BoefjeScheduler.process_mutations`. */
export function handlerSpanName(type: string, kind: string): string {
  return `${schedulerName(type)}.${methods[kind] ?? kind.replaceAll('-', '_')}`;
}

/** Of the push of one task: `BoefjeScheduler.push_boefje_task`. */
export function pushSpanName(type: string): string {
  return `${schedulerName(type)}.push_${type.replaceAll('-', '_')}_task`;
}

/** As mula calls its classes. */
function schedulerName(type: string): string {
  return `${type.replaceAll(/(?:^|-)(.)/g, (_, letter: string) => letter.toUpperCase())}Scheduler`;
}
