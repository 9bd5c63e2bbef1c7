import type { FastifyRequest } from 'fastify';
import { isLoopback } from '../admission.ts';
import type { RestAccess } from './access.ts';
import type { App } from './app.ts';
import { HttpError } from './errors.ts';
import { isJsonType } from './request.ts';

/**
 * Protects against what a foreign page makes a browser do. A browser says where a write comes from (`Origin`, `Sec-Fetch-Site`)
 * and by which name it reached us (`Host`); clients of KAT send `Host` alone.
 */

interface Origins {
  /**
   * Scheme and host for links, as the client named them, where that is a name of ours: a configured one, loopback, or the
   * address that it reached. Null for any other: links are paths then, so that no client is sent elsewhere.
   */
  of(request: FastifyRequest): string | null;
}

declare module 'fastify' {
  interface FastifyInstance {
    origins: Origins;
  }
}

/** The host of a URL alone: no user, no path. */
const wellFormedHost = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Refuses writes that only a foreign page makes a browser send. A request without `Origin` comes from no page. */
export function installOrigins(app: App, access: RestAccess): void {
  const origins = createOrigins(access);
  app.decorate('origins', origins);
  const trusted = new Set(access.publicUrls.map((url) => new URL(url).origin));
  const checksHost = namesAreKnown(access);
  app.addHook('onRequest', (request, _reply, done) => {
    if (checksHost && request.headers.host !== undefined && origins.of(request) === null) {
      return done(new HttpError(421, 'Misdirected request: this Host is none of SCHEDULER_API_PUBLIC_URL'));
    }
    if (safeMethods.has(request.method)) return done();
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (origin !== undefined && !trusted.has(origin) && origin !== origins.of(request)) {
      return done(new HttpError(403, 'Not allowed: this Origin is none of SCHEDULER_API_PUBLIC_URL'));
    }
    if (origin === undefined && site !== undefined && site !== 'same-origin' && site !== 'none') {
      return done(new HttpError(403, 'Not allowed: a request of another site'));
    }
    const type = request.headers['content-type'];
    // The models refuse a body of another type with 422, as mula does. Without a body nothing else checks the type.
    if (type !== undefined && type !== '' && !isJsonType(type) && !hasBody(request)) {
      return done(new HttpError(415, 'Unsupported media type: expected application/json'));
    }
    done();
  });
}

/**
 * Whether all names by which clients without a token reach us are known. A foreign name that is bound to our address (DNS
 * rebinding) would let its pages read our answers. Where no URL is configured and containers ask, we cannot know their name for
 * us. With tokens there is no such danger: a browser adds none.
 */
function namesAreKnown({ tokens, publicUrls, listens }: RestAccess): boolean {
  return tokens.length === 0 && (isLoopback(listens) || publicUrls.length > 0);
}

function createOrigins({ publicUrls, listens }: RestAccess): Origins {
  const byHost = new Map(publicUrls.map((url) => [new URL(url).host, new URL(url).origin]));
  return {
    of(request) {
      const host = (request.headers.host ?? '').toLowerCase();
      const known = byHost.get(host);
      if (known !== undefined) return known;
      if (!wellFormedHost.test(host)) return null;
      const name = nameOf(host);
      const ours = isLoopback(name) || name === listens || name === addressOf(request);
      return ours ? `${request.protocol}://${request.headers.host}` : null;
    },
  };
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function nameOf(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'));
  const colon = host.indexOf(':');
  return colon === -1 ? host : host.slice(0, colon);
}

/** The local address of the connection; of an IPv4 client on a dual-stack socket without the IPv6 prefix. */
function addressOf({ raw: { socket } }: FastifyRequest): string | undefined {
  return socket.localAddress?.replace(/^::ffff:/, '').toLowerCase();
}
