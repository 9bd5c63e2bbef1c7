import type { Answer } from './request.ts';

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
export interface Part<T> {
  readonly members: readonly string[];
  readonly value: T;
}

export interface Apart {
  /**
   * Asks for all members at once. Where the service declines the set, asks for its halves, until each that it declines
   * stands alone: that one is told once, and left out for five minutes. A 404 is about the member; any other status may be
   * about the request, and is believed only where other members were accepted. Null where none was, or where too much was
   * declined to tell it apart.
   */
  ask<T>(
    about: Pick<Declined, 'kind' | 'organisation'>,
    members: readonly string[],
    answerTo: (members: readonly string[]) => Promise<Answer<T>>,
  ): Promise<readonly Part<T>[] | null>;
}

/** A batch asks about the same organisations for each of its thousand OOIs: the search for an unknown one is made once. */
const leftOutMs = 5 * 60_000;
/** The oldest goes first. */
const mostRemembered = 10_000;
/** For one set: fifty members that all stand alone take 99, five among a thousand about as many. */
const mostRequests = 100;

export function createApart(now: () => number, tell: (declined: Declined) => void): Apart {
  // An entry outlives its five minutes: what is declined again is searched for anew, but not told anew.
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
      answerTo: (members: readonly string[]) => Promise<Answer<T>>,
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
