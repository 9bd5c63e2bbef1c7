import { RotaError } from '../errors.ts';
import { basicAuthorization, requestInit, urlOf } from './wire.ts';

const withinMs = 2_000;
const request = { path: ['health'] };

/** Whether each service that has a URL says at its /health that it is healthy, and within two seconds. Never rejects. */
export async function healthOfServices(
  services: Readonly<Record<string, string | undefined>>,
): Promise<Readonly<Record<string, boolean>>> {
  const asked = Object.entries(services).flatMap(([name, url]) => (url === undefined ? [] : [[name, url] as const]));
  return Object.fromEntries(await Promise.all(asked.map(async ([name, url]) => [name, await isHealthy(url)] as const)));
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const base = new URL(url);
    const basic = basicAuthorization(base);
    const unreachable = () => new RotaError('SERVICE_REJECTED', 'no such path');
    const answer = await fetch(urlOf(base, request, unreachable), {
      ...requestInit(request, basic, null),
      signal: AbortSignal.timeout(withinMs),
    });
    const body = (await answer.json()) as { healthy?: unknown };
    return answer.ok && body.healthy === true;
  } catch {
    return false;
  }
}
