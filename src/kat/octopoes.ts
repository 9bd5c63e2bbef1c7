import { z } from 'zod';
import type { Octopoes, Ooi } from './kat.ts';
import type { ServiceAnswer, ServiceClient, Time } from './request.ts';

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
type OoiPage = z.infer<typeof page>;
const byKey = z.record(z.string(), ooi.nullable());

/** Octopoes has no model for one of the types that it was asked for, or that it has stored. */
const unreadable = [400, 422];

/**
 * kat-contract §6. `valid_time` is required everywhere and must name its time zone: ISO with `Z`.
 *
 * Octopoes answers a set as a whole: one organisation without a node, one type or OOI that it has no model for, and it
 * declines all. Those are found and left out; a set of which it accepts nothing is rejected as a whole.
 */
export function createOctopoes(
  client: ServiceClient,
  time: Time,
  onDeclined: (declined: Declined) => void = () => {},
): Octopoes {
  // At an earlier time than the database's Octopoes does not have the object of a new event yet.
  const validTime = () => new Date(time.today()).toISOString();
  const apart = createApart(time.now, onDeclined);

  return {
    async *objects(organisation, { types, scanLevels }) {
      if (types.length === 0 || scanLevels.length === 0) return;
      // One moment for all pages: the list that is paged through does not change under way.
      const moment = { scan_level: scanLevels.map(String), limit: String(pageSize), valid_time: validTime() };
      const pageOf = async (some: readonly string[], offset: number, declines: readonly number[] = []) =>
        orNothing<OoiPage>({ items: [] })(
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
        let answer: ServiceAnswer<OoiPage> = { ok: true, value };
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

/** A 404 about an organisation's own path is about the organisation and not about the request: it has nothing. */
function orNothing<T>(nothing: T): (answer: ServiceAnswer<T>) => ServiceAnswer<T> {
  return (answer) => (answer.ok || answer.status !== 404 ? answer : { ok: true, value: nothing });
}

function accepted<T>(members: readonly string[], answer: ServiceAnswer<T>): readonly Part<T>[] {
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

/** A member of a set that a service declines by itself, and which made it decline the whole set. */
export interface Declined {
  readonly kind: 'organisation' | 'type' | 'ooi';
  readonly member: string;
  /** Organisation that was asked about it; null where the member is one. */
  readonly organisation: string | null;
  /** HTTP. */
  readonly status: number;
}

/** Members that were accepted together, and the answer to them. */
interface Part<T> {
  readonly members: readonly string[];
  readonly value: T;
}

interface Apart {
  /**
   * Asks for all members at once. Where the service declines the set, asks for its halves, until each that it declines
   * is alone: that one is reported once, and left out for five minutes. A 404 is about the member; any other status may be
   * about the request, and is believed only where other members were accepted. Null where none was, or where too much was
   * declined to tell it apart.
   */
  ask<T>(
    about: Pick<Declined, 'kind' | 'organisation'>,
    members: readonly string[],
    answerTo: (members: readonly string[]) => Promise<ServiceAnswer<T>>,
  ): Promise<readonly Part<T>[] | null>;
}

/** A batch asks about the same organisations for each of its thousand OOIs: the search for an unknown one is made once. */
const leftOutMs = 5 * 60_000;
/** The oldest goes first. */
const mostRemembered = 10_000;
/** For one set: fifty members that are all declined take 99, five among a thousand about as many. */
const mostRequests = 100;

function createApart(now: () => number, tell: (declined: Declined) => void): Apart {
  // An entry outlives its five minutes: what is declined again is searched for anew, but not reported anew.
  const declinedAt = new Map<string, number>();
  const keyOf = ({ kind, organisation, member }: Omit<Declined, 'status'>) =>
    JSON.stringify([kind, organisation, member]);
  const remember = (declined: Declined) => {
    const key = keyOf(declined);
    if (!declinedAt.delete(key)) tell(declined);
    declinedAt.set(key, now());
    if (declinedAt.size > mostRemembered) declinedAt.delete(declinedAt.keys().next().value!);
  };

  return {
    ask: async <T>(
      about: Pick<Declined, 'kind' | 'organisation'>,
      members: readonly string[],
      answerTo: (members: readonly string[]) => Promise<ServiceAnswer<T>>,
    ) => {
      const search = { requests: 0, parts: [] as Part<T>[], declined: [] as Declined[] };
      const look = async (some: readonly string[]): Promise<void> => {
        search.requests += 1;
        if (search.requests > mostRequests) return;
        const answer = await answerTo(some);
        const [member, ...others] = some;
        if (answer.ok) search.parts.push({ members: some, value: answer.value });
        else if (others.length === 0) search.declined.push({ ...about, member: member!, status: answer.status });
        else {
          const middle = Math.ceil(some.length / 2);
          await Promise.all([look(some.slice(0, middle)), look(some.slice(middle))]);
        }
      };
      const since = now() - leftOutMs;
      const asked = members.filter((member) => (declinedAt.get(keyOf({ ...about, member })) ?? -Infinity) <= since);
      if (asked.length > 0) await look(asked);
      const { requests, parts, declined } = search;
      for (const one of declined) if (one.status === 404 || parts.length > 0) remember(one);
      for (const member of parts.flatMap((part) => part.members)) declinedAt.delete(keyOf({ ...about, member }));
      return parts.length === 0 || requests > mostRequests ? null : parts;
    },
  };
}
