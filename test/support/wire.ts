import type { Log } from '../../src/protocol/scheduler.ts';
import type { TaskPush } from '../../src/nats/client.ts';

export function boefjeTask(organisation: string, ooi: string, boefje = 'dns-records'): TaskPush {
  return { organisation, data: { boefje: { id: boefje }, input_ooi: ooi, organization: organisation } };
}

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };
