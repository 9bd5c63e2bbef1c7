import { z } from 'zod';
import type { Octopoes, Ooi } from './kat.ts';
import type { ServiceClient } from './request.ts';

/** What one request carries at most: a page of objects, references in a body. */
const pageSize = 1_000;
/** Clients travel in the query, and Octopoes works through them one by one. */
const clientsPerRequest = 50;

/** The type-specific rest of an OOI is dropped. */
const ooi = z
  .object({
    primary_key: z.string(),
    object_type: z.string(),
    scan_profile: z.object({ level: z.number().int().nullish() }).nullish(),
  })
  .transform((read): Ooi => ({
    primaryKey: read.primary_key,
    objectType: read.object_type,
    scanLevel: read.scan_profile?.level ?? null,
  }));

const page = z.object({ count: z.number().int(), items: z.array(ooi) });
const byKey = z.record(z.string(), ooi.nullable());

/**
 * kat-contract §6. `valid_time` is required everywhere and must name its time zone: ISO with `Z`. `today`: epoch milliseconds,
 * by the database's clock: at a time that is behind, an object which an event has just told of is not there yet.
 */
export function createOctopoes(client: ServiceClient, today: () => number): Octopoes {
  const validTime = () => new Date(today()).toISOString();

  return {
    async *objects(organisation, { types, scanLevels }) {
      if (types.length === 0 || scanLevels.length === 0) return;
      // One moment for all pages: the list that is paged through does not change under way.
      const query = {
        types,
        scan_level: scanLevels.map(String),
        limit: String(pageSize),
        valid_time: validTime(),
      };
      for (let offset = 0; ; offset += pageSize) {
        const answer = await client.ask({
          path: [organisation, 'objects'],
          query: { ...query, offset: String(offset) },
          answer: page,
          declines: [404],
        });
        if (!answer.ok) return;
        if (answer.value.items.length > 0) yield answer.value.items;
        if (answer.value.items.length < pageSize) return;
      }
    },

    objectsByReference: async (organisation, references) =>
      inChunks(references, pageSize, async (json) => {
        const answer = await client.ask({
          method: 'POST',
          path: [organisation, 'objects', 'load_bulk'],
          query: { valid_time: validTime() },
          json,
          answer: byKey,
          declines: [404],
        });
        return answer.ok ? answer.value : {};
      }),

    objectClients: async (reference, organisations) =>
      inChunks(organisations, clientsPerRequest, async (clients) => {
        const answer = await client.ask({
          path: ['object-clients'],
          query: { reference, clients, valid_time: validTime() },
          answer: byKey,
          declines: [404],
        });
        return answer.ok ? answer.value : {};
      }),
  };
}

/** Asks for distinct keys a chunk at a time and gathers what exists. */
async function inChunks(
  keys: readonly string[],
  size: number,
  ask: (chunk: readonly string[]) => Promise<Readonly<Record<string, Ooi | null>>>,
): Promise<ReadonlyMap<string, Ooi>> {
  const distinct = [...new Set(keys)];
  const chunks = Array.from({ length: Math.ceil(distinct.length / size) }, (_, at) =>
    distinct.slice(at * size, (at + 1) * size),
  );
  const found = new Map<string, Ooi>();
  for (const answer of await Promise.all(chunks.map(ask))) {
    for (const [key, value] of Object.entries(answer)) if (value !== null) found.set(key, value);
  }
  return found;
}
