import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { parseTimestamp } from '../tasks/timestamp.ts';
import type { BoefjeRun, Bytes } from './kat.ts';
import type { Answer, JsonRequest, ServiceClient } from './request.ts';
import { createSingleFlight } from './single-flight.ts';

const login = z.object({ access_token: z.string().min(1) });

/** Of the latest run only its end: `environment` and `arguments` are dropped. */
const runs = z.array(
  z
    .object({ ended_at: z.string().nullish() })
    .transform((read): BoefjeRun => ({ endedAt: read.ended_at == null ? null : epochMs(read.ended_at) })),
);

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

  /** An outage until somebody puts it right, not what is wrong with an event: its attempts must not be used up on it. */
  const lockedOut = () =>
    new RotaError('SERVICE_UNAVAILABLE', `${client.service} refused to log in BYTES_USERNAME with BYTES_PASSWORD`, {
      fields: { service: client.service },
    });

  const refused = (message: string, status: number) =>
    new RotaError('SERVICE_REJECTED', `${client.service} ${message}`, { fields: { service: client.service, status } });

  const askWithToken = async <T>(request: JsonRequest<T>): Promise<Answer<T>> => {
    const used = token ?? (await logIn());
    const answer = await client.ask({ ...request, bearer: used, declines: [401] });
    if (answer.ok) return answer;
    // Another request may have logged in since: then its token is the one to try.
    const renewed = token !== null && token !== used ? token : await logIn();
    return client.ask({ ...request, bearer: renewed, declines: [401] });
  };

  return {
    lastRun: async ({ organisation, boefje, inputOoi }) => {
      const answer = await askWithToken({
        path: ['bytes', 'boefje_meta'],
        query: {
          organization: organisation,
          boefje_id: boefje,
          ...(inputOoi === null ? {} : { input_ooi: inputOoi }),
          limit: '1',
          descending: 'true',
        },
        answer: runs,
      });
      if (!answer.ok) throw refused('refused a token that it just gave', answer.status);
      return answer.value[0] ?? null;
    },
  };
}

/** A time without a zone is UTC, as everywhere in KAT. What is no time is not known. */
function epochMs(text: string): number | null {
  const parsed = parseTimestamp(text);
  return parsed === null ? null : parsed.seconds * 1_000 + Math.floor(parsed.micros / 1_000);
}
