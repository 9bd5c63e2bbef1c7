import type { FastifyRequest } from 'fastify';
import { isLoopback, type RestAccess } from './access.ts';
import type { App } from './app.ts';
import { Answer } from './errors.ts';
import { isJsonType } from './request.ts';

/**
 * What a browser may be made to do by a foreign page. It says where a write comes from (`Origin`, `Sec-Fetch-Site`)
 * and under which name it reached us (`Host`); clients of KAT send the latter alone.
 */

export interface Origins {
  /**
   * Scheme and host for links, as the client named them, where that is a name of ours: a configured one, loopback, or the
   * address that it reached us at. Null for any other: a link is a path then, so that no client is sent elsewhere.
   */
  of(request: FastifyRequest): string | null;
}

declare module 'fastify' {
  interface FastifyInstance {
    origins: Origins;
  }
}

/** A host of a URL, and no more: neither a user nor a path. */
const wellFormedHost = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses what only a foreign page makes a browser send. What has no `Origin` comes from no browser's page.
 */
export function installOrigins(app: App, access: RestAccess): void {
  const origins = createOrigins(access);
  app.decorate('origins', origins);
  const trusted = new Set(access.publicUrls.map((url) => new URL(url).origin));
  const checksHost = namesAreKnown(access);
  app.addHook('onRequest', (request, _reply, done) => {
    if (checksHost && request.headers.host !== undefined && origins.of(request) === null) {
      return done(new Answer(421, 'Misdirected request: this Host is none of SCHEDULER_API_PUBLIC_URL'));
    }
    if (safeMethods.has(request.method)) return done();
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (origin !== undefined && !trusted.has(origin) && origin !== origins.of(request)) {
      return done(new Answer(403, 'Not allowed: this Origin is none of SCHEDULER_API_PUBLIC_URL'));
    }
    if (origin === undefined && site !== undefined && site !== 'same-origin' && site !== 'none') {
      return done(new Answer(403, 'Not allowed: a request of another site'));
    }
    const type = request.headers['content-type'];
    // A body of another type is a text to the models, as in mula: 422. Without a body nothing else checks the type.
    if (type !== undefined && type !== '' && !isJsonType(type) && !hasBody(request)) {
      return done(new Answer(415, 'Unsupported media type: expected application/json'));
    }
    done();
  });
}

/**
 * Whether every name is known under which somebody asks without a token. A name of somebody else that is bound to our address
 * makes its pages ours, and a browser lets them read. Where nothing is configured and containers ask, their name for us is
 * anybody's guess; a token is nothing that a browser would add.
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

/** The address of ours that it came to; of an IPv4 client of a socket for both kinds without what IPv6 puts in front. */
function addressOf({ raw: { socket } }: FastifyRequest): string | undefined {
  return socket.localAddress?.replace(/^::ffff:/, '').toLowerCase();
}
