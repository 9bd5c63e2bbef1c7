import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { parseTimestamp, toEpochMs } from '../tasks/lax.ts';
import type { BoefjeRun, Bytes } from './kat.ts';
import type { ServiceAnswer, JsonRequest, ServiceClient } from './request.ts';
import { createSingleFlight } from './resilience.ts';

const login = z.object({ access_token: z.string().min(1) });

/** Of a run only its end: `environment` and `arguments` are dropped. */
const run = z
  .object({ ended_at: z.string().nullish() })
  .transform((read): BoefjeRun => ({ endedAt: read.ended_at == null ? null : epochMs(read.ended_at) }));
const runs = z.array(run);
const runsByBoefje = z.array(z.object({ boefje: z.object({ id: z.string() }) }).and(run));

/**
 * Of one OOI, newest first: four days of the twelve boefjes that an address has at most. A thousand new objects with ten
 * boefjes each are a thousand requests so, not ten thousand; those were nine tenths of the time until their tasks were queued.
 */
const latestRuns = 50;

/** kat-contract §7: form login, bearer token, one new login when the token has run out. */
export function createBytes(
  client: ServiceClient,
  credentials: { readonly username: string; readonly password: string },
  now: () => number,
): Bytes {
  const logins = createSingleFlight<string>({ ttlMs: 0, now });
  let token: string | null = null;

  const logIn = () =>
    logins.get('', async () => {
      const answer = await client.ask({
        method: 'POST',
        path: ['token'],
        form: { username: credentials.username, password: credentials.password },
        answer: login,
        declines: [401],
      });
      if (!answer.ok) throw lockedOut();
      token = answer.value.access_token;
      return token;
    });

  /** An outage until an operator corrects the variables, and no fault of an event: it must not use up the event's attempts. */
  const lockedOut = () =>
    new RotaError('SERVICE_UNAVAILABLE', `${client.service} refused to log in BYTES_USERNAME with BYTES_PASSWORD`, {
      fields: { service: client.service },
    });

  const refused = (message: string, status: number) =>
    new RotaError('SERVICE_REJECTED', `${client.service} ${message}`, { fields: { service: client.service, status } });

  const askWithToken = async <T>(request: JsonRequest<T>): Promise<ServiceAnswer<T>> => {
    const used = token ?? (await logIn());
    const answer = await client.ask({ ...request, bearer: used, declines: [401] });
    if (answer.ok) return answer;
    // Another request may have logged in since: then its token is the one to try.
    const renewed = token !== null && token !== used ? token : await logIn();
    return client.ask({ ...request, bearer: renewed, declines: [401] });
  };

  const ask = async <T>(query: Record<string, string>, schema: z.ZodType<T>): Promise<T> => {
    const answer = await askWithToken({ path: ['bytes', 'boefje_meta'], query, answer: schema });
    if (!answer.ok) throw refused('refused a token that it just gave', answer.status);
    return answer.value;
  };

  const lastRun: Bytes['lastRun'] = async ({ organisation, boefje, inputOoi }) => {
    const about = {
      organization: organisation,
      boefje_id: boefje,
      ...(inputOoi === null ? {} : { input_ooi: inputOoi }),
    };
    return (await ask({ ...about, limit: '1', descending: 'true' }, runs))[0] ?? null;
  };

  const eachLastRun = async (organisation: string, boefjes: readonly string[], inputOoi: string | null) =>
    Promise.all(boefjes.map(async (boefje) => [boefje, await lastRun({ organisation, boefje, inputOoi })] as const));

  return {
    lastRun,
    lastRuns: async ({ organisation, boefjes, inputOoi }) => {
      // Bytes takes an absent OOI for none, and cannot be asked for all boefjes without one.
      if (inputOoi === null || boefjes.length < 2) return new Map(await eachLastRun(organisation, boefjes, inputOoi));
      const query = { organization: organisation, input_ooi: inputOoi, limit: String(latestRuns), descending: 'true' };
      const latest = await ask(query, runsByBoefje);
      const found = new Map<string, BoefjeRun | null>();
      for (const { boefje, endedAt } of latest.toReversed()) found.set(boefje.id, { endedAt });
      const absent = boefjes.filter((boefje) => !found.has(boefje));
      const older = latest.length < latestRuns ? [] : await eachLastRun(organisation, absent, inputOoi);
      return new Map([...boefjes.map((boefje) => [boefje, found.get(boefje) ?? null] as const), ...older]);
    },
  };
}

/** A time without a zone is UTC, as everywhere in KAT. What is no time is not known. */
function epochMs(text: string): number | null {
  const parsed = parseTimestamp(text);
  return parsed === null ? null : toEpochMs(parsed);
}
