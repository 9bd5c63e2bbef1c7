import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { InFlight } from '../admission.ts';
import { within } from '../deadline.ts';
import { boundConnections, type HeldPlace, heldWhile, letGo, whenGone } from '../http-bounds.ts';
import { RotaError } from '../errors.ts';
import type { Page } from './page.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose share of the bounds a request takes: its session, or its address where there is none. */
    viewer: string;
    /** Null for what is not bounded so: a watch, a stream. */
    held: HeldPlace | null;
  }
}

const minuteMs = 60_000;
/** Ten tabs without a stream ask for 120 pages a minute. */
const pagesAMinute = 600;
/** One token makes as many sessions as it likes: four full ones, whether of people or of screens. */
const pagesOfTokenAMinute = 2_400;
export const actionsAMinute = 120;
/** Of an address, which may be a proxy's: a token has 20 characters at least, and is not guessed at this rate. */
const logInsAMinute = 20;

/** A browser opens six connections to a host. */
const mostOfViewer = 16;
/** Three sessions’: others have more than half. */
const mostOfToken = 48;
const mostOfAll = 128;
const bytes = Number.MAX_SAFE_INTEGER;
/** Sockets: streams, and what browsers keep open. */
const mostConnections = 1_000;
/** A browser opens six; a proxy has those of all people. */
const mostConnectionsOfAddress = 200;

interface Bounded {
  /** Then all connections may have one address. */
  readonly isBehindProxy: boolean;
}

/**
 * So that who looks, however often, leaves room for others and for the work: by session, and by the token of any number of sessions.
 * A watch is bounded by itself (live.ts).
 */
export async function installBounds(app: FastifyInstance, { isBehindProxy }: Bounded): Promise<void> {
  const mostOfAddress = isBehindProxy ? mostConnections : mostConnectionsOfAddress;
  boundConnections(app.server, { most: mostConnections, mostOfAddress });
  const refused = (after: string) => new RotaError('TOO_MANY_REQUESTS', `too many requests: again in ${after}`);
  await app.register(rateLimit, {
    global: true,
    max: pagesAMinute,
    timeWindow: minuteMs,
    keyGenerator: ({ viewer }) => viewer,
    allowList: ({ url }) => url.startsWith('/assets/'),
    errorResponseBuilder: (_request, { after }) => refused(after),
  });
  const ofToken = app.createRateLimit({ max: pagesOfTokenAMinute, timeWindow: minuteMs, keyGenerator: tokenOf });
  app.addHook('onRequest', async (request) => {
    const limit = await ofToken(request);
    if (!limit.isAllowed && limit.isExceeded) throw refused(`${limit.ttlInSeconds} s`);
  });
  const all = { most: mostOfAll, mostBytes: bytes };
  const refusal = { code: 'TOO_MANY_REQUESTS', what: 'requests' } as const;
  const ofTokens = new InFlight({ all, ofClient: { most: mostOfToken, mostBytes: bytes }, refusal });
  const ofViewers = new InFlight({ all, ofClient: { most: mostOfViewer, mostBytes: bytes }, refusal });
  app.decorateRequest('held', null);
  app.addHook('onRoute', (route) => {
    const handle = route.handler;
    route.handler = function bounded(request, reply) {
      return heldWhile(request.held, () => handle.call(this, request, reply));
    };
  });
  app.addHook('preHandler', async (request, reply) => {
    if (request.routeOptions.url === '/live') return;
    const leaveViewer = ofViewers.enter(request.viewer, 0);
    const leaveToken = enterOr(leaveViewer, () => ofTokens.enter(tokenOf(request), 0));
    const held: HeldPlace = { holders: 1, leave: () => (leaveToken(), leaveViewer()) };
    request.held = held;
    whenGone(reply.raw, () => letGo(held));
  });
}

function enterOr(undo: () => void, enter: () => () => void): () => void {
  try {
    return enter();
  } catch (full) {
    undo();
    throw full;
  }
}

/** Of all sessions of a token; an address, where there is no session. */
function tokenOf({ session, ip }: FastifyRequest): string {
  return session === null ? ip : `token ${session.name}`;
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

/** A list has 5 s of the database. */
const pageWithinMs = 6_000;
/** An explanation asks an actor, which has 8 s. */
const boundsItself: ReadonlySet<string> = new Set(['/why']);

/**
 * In an outage a page says so while the person who asked still looks; its request keeps its place until the work is over.
 * @param path of the view. @param held null: of a watch
 */
export async function withinPage(path: string, viewed: Promise<Page>, held: HeldPlace | null): Promise<Page> {
  heldWhile(held, () => viewed);
  if (boundsItself.has(path)) return viewed;
  return within(viewed, pageWithinMs, 'SERVICE_UNAVAILABLE', `this page did not come within ${pageWithinMs / 1_000} s`);
}
