import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { InFlight } from '../admission.ts';
import { RotaError } from '../errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose share of the bounds a request takes: its session, or its address where there is none. */
    viewer: string;
  }
}

const minuteMs = 60_000;
/** Ten tabs without a stream ask for 120 pages a minute. */
const pagesAMinute = 600;
export const actionsAMinute = 120;
/** Of an address, which may be a proxy's: a token has 20 characters at least, and nobody guesses it at this rate. */
const logInsAMinute = 20;

/** A browser opens six connections to a host. */
const mostOfViewer = 16;
const mostOfAll = 128;
const bytes = Number.MAX_SAFE_INTEGER;
/** Sockets: streams, and what browsers keep open. */
const mostConnections = 1_000;

/** So that who looks, however often, leaves room for others and for the work. A watch is bounded by itself (live.ts). */
export async function installBounds(app: FastifyInstance, isWatch: () => boolean): Promise<void> {
  app.server.maxConnections = mostConnections;
  await app.register(rateLimit, {
    global: true,
    max: pagesAMinute,
    timeWindow: minuteMs,
    keyGenerator: ({ viewer }) => viewer,
    allowList: ({ url }) => isWatch() || url.startsWith('/assets/'),
    errorResponseBuilder: (_request, { after }) =>
      new RotaError('TOO_MANY_REQUESTS', `too many requests: again in ${after}`),
  });
  const inFlight = new InFlight({
    all: { most: mostOfAll, mostBytes: bytes },
    ofClient: { most: mostOfViewer, mostBytes: bytes },
    refusal: { code: 'TOO_MANY_REQUESTS', what: 'requests' },
  });
  app.addHook('preHandler', async ({ viewer, routeOptions }, reply) => {
    if (isWatch() || routeOptions.url === '/live') return;
    // At its close, for a client that goes away gets no answer.
    reply.raw.once('close', inFlight.enter(viewer, 0));
  });
}

/** Of `/login`: what tries a token, in a form or by a link. */
export const logInBound = {
  max: logInsAMinute,
  timeWindow: minuteMs,
  groupId: 'login',
  keyGenerator: ({ ip }: FastifyRequest) => ip,
  allowList: ({ method, query }: FastifyRequest) =>
    method === 'GET' && (query as Readonly<Record<string, unknown>>)['once'] === undefined,
};
