import { z } from 'zod';
import type { BoefjeConfig, Katalogus, Organisation, Plugin } from './kat.ts';
import type { ServiceClient } from './request.ts';
import { createSingleFlight } from './single-flight.ts';

/** Katalogus filters in Python over all plug-ins, so that one call costs the same whatever it asks: ask for all, keep it. */
const keptMs = 30_000;

const organisations = z.record(
  z.string(),
  z.object({ id: z.string(), name: z.string(), deduplicate: z.boolean().default(false) }),
);

/** Unknown keys are dropped, `boefje_schema` (the largest) among them. */
const plugin = z
  .object({
    id: z.string().min(1),
    type: z.enum(['boefje', 'normalizer', 'bit']),
    name: z.string().nullish(),
    version: z.string().nullish(),
    enabled: z.boolean().default(true),
    // A bit consumes one type and says so without a list.
    consumes: z.union([z.array(z.string()), z.string().transform((one) => [one])]).default([]),
    produces: z.array(z.string()).default([]),
    scan_level: z.number().int().default(0),
    cron: z.string().nullish(),
    interval: z.number().nullish(),
    run_on: z.array(z.enum(['create', 'update'])).nullish(),
    oci_image: z.string().nullish(),
    deduplicate: z.boolean().default(false),
  })
  .transform((read): Plugin => ({
    id: read.id,
    type: read.type,
    name: read.name ?? null,
    version: read.version ?? null,
    enabled: read.enabled,
    consumes: read.consumes,
    produces: read.produces,
    scanLevel: read.scan_level,
    cron: read.cron ?? null,
    interval: read.interval ?? null,
    runOn: read.run_on ?? null,
    ociImage: read.oci_image ?? null,
    deduplicate: read.deduplicate,
  }));

/** `settings` are decrypted secrets and `environment` may be: neither is named here, so parsing drops them. */
const configuration = z.object({ boefje_id: z.string(), organisation_id: z.string(), enabled: z.boolean() });

const configurations = z.array(
  configuration.extend({ duplicates: z.array(configuration).nullish() }).transform((read): BoefjeConfig => ({
    boefjeId: read.boefje_id,
    organisationId: read.organisation_id,
    enabled: read.enabled,
    duplicates: (read.duplicates ?? []).map((twin) => ({
      organisationId: twin.organisation_id,
      enabled: twin.enabled,
    })),
  })),
);

/** kat-contract §5. */
export function createKatalogus(client: ServiceClient, now: () => number): Katalogus {
  const organisationLists = createSingleFlight<ReadonlyMap<string, Organisation>>({ ttlMs: keptMs, now });
  const configLists = createSingleFlight<readonly BoefjeConfig[]>({ ttlMs: keptMs, now });
  const pluginLists = createSingleFlight<ReadonlyMap<string, Plugin> | null>({ ttlMs: keptMs, now });

  return {
    organisations: (options) =>
      organisationLists.get(
        '',
        async () => {
          const answer = await client.ask({ path: ['v1', 'organisations'], answer: organisations });
          return new Map(answer.ok ? Object.entries(answer.value) : []);
        },
        options,
      ),

    plugins: (organisation, options) =>
      pluginLists.get(
        organisation,
        async () => {
          const path = ['v1', 'organisations', organisation, 'plugins'];
          const answer = await client.ask({ path, answer: z.array(plugin), declines: [404] });
          return answer.ok ? new Map(answer.value.map((one) => [one.id, one])) : null;
        },
        options,
      ),

    boefjeConfigs: (organisation, boefje) =>
      configLists.get(JSON.stringify([organisation, boefje]), async () => {
        // No `limit`: with 0 Katalogus answers nothing at all.
        const query = { organisation_id: organisation, boefje_id: boefje, enabled: 'true', with_duplicates: 'true' };
        const answer = await client.ask({ path: ['v1', 'configs'], query, answer: configurations, declines: [404] });
        return answer.ok ? answer.value : [];
      }),
  };
}
