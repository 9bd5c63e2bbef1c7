import { z } from 'zod';
import { createApart, type Declined, type Part } from './apart.ts';
import type { Octopoes, Ooi } from './kat.ts';
import type { Answer, ServiceClient } from './request.ts';

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

const page = z.object({ items: z.array(ooi) });
type Page = z.infer<typeof page>;
const byKey = z.record(z.string(), ooi.nullable());

/** It cannot read one of what it was asked for together: a type that it has no model for, in a query or in its database. */
const unreadable = [400, 422];

/** Epoch milliseconds. */
interface Clocks {
  /** Steadily growing. */
  now(): number;
  /** The database's: at a time that is behind, an object which an event has just told of is not there yet. */
  today(): number;
}

/**
 * kat-contract §6. `valid_time` is required everywhere and must name its time zone: ISO with `Z`.
 *
 * Octopoes answers a set as a whole: one organisation without a node, one type or OOI that it has no model for, and it
 * declines all. Those are found and left out; a set of which it takes nothing is rejected as it stands.
 */
export function createOctopoes(
  client: ServiceClient,
  clocks: Clocks,
  onDeclined: (declined: Declined) => void = () => {},
): Octopoes {
  const validTime = () => new Date(clocks.today()).toISOString();
  const apart = createApart(() => clocks.now(), onDeclined);

  return {
    async *objects(organisation, { types, scanLevels }) {
      if (types.length === 0 || scanLevels.length === 0) return;
      // One moment for all pages: the list that is paged through does not change under way.
      const moment = { scan_level: scanLevels.map(String), limit: String(pageSize), valid_time: validTime() };
      const pageOf = async (some: readonly string[], offset: number, declines: readonly number[] = []) =>
        orNothing<Page>({ items: [] })(
          await client.ask({
            path: [organisation, 'objects'],
            query: { types: some, ...moment, offset: String(offset) },
            answer: page,
            declines: [404, ...declines],
          }),
        );
      const firsts =
        (await apart.ask({ kind: 'type', organisation }, types, (some) => pageOf(some, 0, unreadable))) ??
        accepted(types, await pageOf(types, 0));
      for (const { members, value } of firsts) {
        let answer: Answer<Page> = { ok: true, value };
        for (let offset = pageSize; answer.ok; offset += pageSize) {
          const { items } = answer.value;
          if (items.length > 0) yield items;
          if (items.length < pageSize) break;
          answer = await pageOf(members, offset);
        }
      }
    },

    objectsByReference: async (organisation, references) =>
      inChunks(references, pageSize, async (chunk) => {
        const load = async (json: readonly string[], declines: readonly number[] = []) =>
          orNothing<z.infer<typeof byKey>>({})(
            await client.ask({
              method: 'POST',
              path: [organisation, 'objects', 'load_bulk'],
              query: { valid_time: validTime() },
              json,
              answer: byKey,
              declines: [404, ...declines],
            }),
          );
        return (
          (await apart.ask({ kind: 'ooi', organisation }, chunk, (some) => load(some, unreadable))) ??
          accepted(chunk, await load(chunk))
        );
      }),

    objectClients: async (reference, organisations) =>
      inChunks(organisations, clientsPerRequest, async (chunk) => {
        const parts = await apart.ask({ kind: 'organisation', organisation: null }, chunk, (clients) =>
          client.ask({
            path: ['object-clients'],
            query: { reference, clients, valid_time: validTime() },
            answer: byKey,
            declines: [404],
          }),
        );
        return parts ?? [];
      }),
  };
}

/** A 404 about an organisation's own path is about the organisation, whatever was asked for: it has nothing. */
function orNothing<T>(nothing: T): (answer: Answer<T>) => Answer<T> {
  return (answer) => (answer.ok || answer.status !== 404 ? answer : { ok: true, value: nothing });
}

function accepted<T>(members: readonly string[], answer: Answer<T>): readonly Part<T>[] {
  return answer.ok ? [{ members, value: answer.value }] : [];
}

/** Asks for distinct keys a chunk at a time and gathers what exists. */
async function inChunks(
  keys: readonly string[],
  size: number,
  ask: (chunk: readonly string[]) => Promise<readonly Part<Readonly<Record<string, Ooi | null>>>[]>,
): Promise<ReadonlyMap<string, Ooi>> {
  const distinct = [...new Set(keys)];
  const chunks = Array.from({ length: Math.ceil(distinct.length / size) }, (_, at) =>
    distinct.slice(at * size, (at + 1) * size),
  );
  const found = new Map<string, Ooi>();
  for (const part of (await Promise.all(chunks.map(ask))).flat()) {
    for (const [key, value] of Object.entries(part.value)) if (value !== null) found.set(key, value);
  }
  return found;
}
