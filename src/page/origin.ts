import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isLoopback } from '../admission.ts';
import { RotaError } from '../errors.ts';
import type { PageAccess } from './session.ts';

/** Of helmet, for every answer: our own scripts and styles alone, in no frame, and no address goes elsewhere. */
export function securityHeaders({ tls }: Pick<PageAccess, 'tls'>) {
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // Addresses carry OOIs.
    referrerPolicy: { policy: 'no-referrer' as const },
    xFrameOptions: { action: 'deny' as const },
    // Without TLS it means nothing, and behind a proxy the proxy sets it.
    strictTransportSecurity: tls !== null,
  };
}

/** Of an answer that no hook sees: an address that is none. */
export const bareHeaders = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** Against what a foreign page makes a browser do. GET changes nothing; a POST must come from our own pages. */
export function installOrigin(app: FastifyInstance, access: PageAccess): void {
  const ours = new Set(access.publicUrls.map((url) => new URL(url).origin));
  app.addHook('onRequest', async (request) => {
    // Without tokens a foreign name that is bound to our address (DNS rebinding) would let its pages read ours.
    if (access.tokens.length === 0 && !isOurName(request, access))
      throw new RotaError('FORBIDDEN', 'this Host is none of this machine: the page is open on loopback alone');
    if (request.method === 'GET' || request.method === 'HEAD') return;
    const { origin, 'sec-fetch-site': site } = request.headers;
    // Browsers send no Sec-Fetch-Site to plain HTTP under a name, but Origin they do.
    const fromUs =
      site === undefined
        ? origin !== undefined && (ours.has(origin) || isOfHost(origin, request))
        : site === 'same-origin';
    if (!fromUs)
      throw new RotaError('FORBIDDEN', 'a request of another site: SCHEDULER_PAGE_PUBLIC_URL names this one');
  });
}

function isOfHost(origin: string, { headers }: FastifyRequest): boolean {
  return URL.canParse(origin) && new URL(origin).host === headers.host?.toLowerCase();
}

/** A name or an address, and a port: no user, no path. */
const wellFormedHost = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

function isOurName({ headers }: FastifyRequest, { publicUrls }: PageAccess): boolean {
  const host = (headers.host ?? '').toLowerCase();
  if (publicUrls.some((url) => new URL(url).host === host)) return true;
  if (!wellFormedHost.test(host)) return false;
  return URL.canParse(`http://${host}`) && isLoopback(new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, '$1'));
}
