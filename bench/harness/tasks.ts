import { randomUUID } from 'node:crypto';

/** Tasks as they are pushed, each about something else: a boefje's gets a schedule, a normalizer's none. */
export const pushedTask = { boefje: boefjeTask, normalizer: normalizerTask } as const;

/** Behind everything that the seeds queue. */
export const pushedPriority = 2_000_000_000;

let number = 0;

function boefjeTask() {
  number += 1;
  return { organisation: `org-${number % 300}`, priority: pushedPriority, data: boefjeData(`org-${number % 300}`) };
}

function boefjeData(organization: string) {
  const plugin = number % 46;
  return {
    boefje: {
      id: `boefje-${plugin}`,
      name: `Boefje number ${plugin}`,
      version: null,
      oci_image: `ghcr.io/minvws/openkat/image-${plugin % 14}`,
    },
    input_ooi: `Hostname|internet|host-${process.pid}-${number}.example`,
    organization,
    deduplication_key: null,
  };
}

function normalizerTask() {
  number += 1;
  const organization = `org-${number % 300}`;
  const { boefje, input_ooi } = boefjeData(organization);
  const now = new Date().toISOString();
  const run = { id: randomUUID(), boefje, input_ooi, arguments: {}, organization, started_at: now, ended_at: now };
  const raw = {
    id: randomUUID(),
    boefje_meta: run,
    mime_types: [{ value: `boefje/${boefje.id}` }],
    secure_hash: null,
    hash_retrieval_link: null,
  };
  return {
    organisation: organization,
    priority: pushedPriority,
    data: { normalizer: { id: 'kat_dns_normalize', name: 'DNS records', version: null }, raw_data: raw },
  };
}
