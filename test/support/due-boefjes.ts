import boefjeScheduler from '../../actors/boefje/behavior.ts';
import type { Plugin } from '../../src/kat/kat.ts';
import type { DueSchedule } from '../../src/protocol/requests.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import { deliver } from './deliveries.ts';
import { boefje, hostname } from './kat-ports.ts';
import { hour, noon, Ports } from './ports.ts';

export const object = hostname('a.example');
export const ooi = object.primaryKey;
export const day = 24 * hour;

export function schedule(fields: Partial<DueSchedule> & { ooi?: string | null; boefje?: string } = {}): DueSchedule {
  const { ooi: inputOoi = ooi, boefje: boefjeId = 'dns', ...rest } = fields;
  const organisation = fields.organisation ?? 'aa';
  return {
    id: `${organisation} ${boefjeId} ${inputOoi}`,
    version: 'v1',
    organisation,
    hash: boefjeHash({ boefjeId, inputOoi, organisation }),
    data: { boefje: { id: boefjeId }, input_ooi: inputOoi, organization: organisation },
    enabled: true,
    schedule: null,
    deadlineAt: noon - 1,
    ...rest,
  };
}

export function ports(plugins: readonly Plugin[] = [boefje('dns')], ...schedules: DueSchedule[]): Ports {
  const it = new Ports('boefje');
  it.organisations = { aa: { plugins, objects: [object] } };
  it.schedules = schedules.length > 0 ? schedules : [schedule()];
  return it;
}

export function tick(it: Ports) {
  return deliver(boefjeScheduler.start(it.setup).reschedule, { kind: 'reschedule' });
}

export function settlements(it: Ports) {
  return it.requests('settle-schedules').flatMap(({ settlements }) => settlements);
}
