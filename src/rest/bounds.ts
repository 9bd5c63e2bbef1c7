import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AdmissionBounds, answerWithinMs, InFlight, popMarginMs, unanswered } from '../admission.ts';
import { boundConnections, type HeldPlace, heldWhile, letGo, whenGone } from '../http-bounds.ts';
import type { App } from './app.ts';
import { emit } from '../telemetry/events.ts';
import { budgets } from './budgets.ts';
import { clientOfRequest } from './access.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Its share of what is in flight; null for a route that is not bounded. */
    held: HeldPlace | null;
  }
}

/** Cheap routes; a refusal would make an orchestrator restart us. */
const unbounded: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

/**
 * Admission control and time limits. Every request is answered within 12 s, a pop 2 s after its wait, even while the database
 * hangs. Requests are bounded in number and bytes before their bodies are read, and answers until they have left; one client
 * (its token, or its address) gets at most `clientShare` of each bound.
 *
 * Install it after the hooks that identify the client.
 */
export function installBounds(
  app: App,
  clientShare: number,
  late: (error: unknown, reply: FastifyReply) => void,
): void {
  const mostBytes = budgets.inFlightBytes;
  const pops = sharedInFlight({ most: budgets.pops, mostBytes }, clientShare, 'pops', budgets.popsOfClient);
  const others = sharedInFlight({ most: budgets.inFlight, mostBytes }, clientShare, 'requests');
  const answers = sharedInFlight({ most: budgets.connections, mostBytes: budgets.answerBytes }, clientShare, 'answers');
  app.decorateRequest('held', null);
  app.addHook('onRoute', (route) => {
    if (readsNoBody(route.method, route.url)) route.bodyLimit = budgets.smallBodyBytes;
    if (unbounded.has(route.url)) return;
    const handle = route.handler;
    // A wrapper around each handler: each hook would cost a fortieth of a pop.
    route.handler = function bounded(this: typeof app, request: FastifyRequest, reply: FastifyReply) {
      const timer = setTimeout(
        () => {
          if (!reply.sent) late(unanswered(), reply);
        },
        answerWithinMs + waitMsOf(request),
      );
      return heldWhile(
        request.held,
        () => handle.call(this, request, reply),
        () => clearTimeout(timer),
      );
    };
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { url } = request.routeOptions;
    if (url !== undefined && unbounded.has(url)) return done();
    const kind = url?.endsWith('/pop') === true ? pops : others;
    try {
      const held = { holders: 1, leave: kind.enter(clientOfRequest(request), bytesOf(request)) };
      request.held = held;
      whenGone(reply.raw, () => letGo(held));
    } catch (full) {
      // As Fastify does for a body that is too large: an unread body would delay the server's close by a minute.
      if (bytesOf(request) > 0) reply.header('connection', 'close');
      return done(full as Error);
    }
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.byteLength(payload) : 0;
    // A shorter answer fits into the kernel's buffer of the socket, and Node reads no more requests from a full socket.
    if (bytes < countedAnswerBytes) return done(null, payload);
    try {
      const leave = answers.enter(clientOfRequest(request), bytes);
      const { socket } = request.raw;
      const slow = setTimeout(() => socket.destroy(), budgets.answerLeavesMs);
      whenGone(reply.raw, () => {
        clearTimeout(slow);
        leave();
      });
    } catch (full) {
      return done(full as Error);
    }
    done(null, payload);
  });
  boundConnectionsOf(app, clientShare);
}

const countedAnswerBytes = 4_096;

/** A GET of tasks has its filters in the body, as in mula; a log-in is one short field. */
function readsNoBody(method: string | string[], url: string): boolean {
  return url === '/login' || (url !== '/tasks' && [method].flat().every((one) => one === 'GET' || one === 'DELETE'));
}

/** A client that exceeds its own bound gets 503, too: mula's clients take 429 as a full queue, and stop pushing. */
export function sharedInFlight(all: AdmissionBounds, share: number, what: string, mostOfClient = Infinity): InFlight {
  const ofClient = {
    most: Math.min(Math.ceil(all.most * share), mostOfClient),
    mostBytes: Math.ceil(all.mostBytes * share),
  };
  // Only where a larger share would help.
  const variable = ofClient.most < mostOfClient ? { variable: 'SCHEDULER_API_CLIENT_SHARE' } : {};
  return new InFlight({ all, ofClient, refusal: { code: 'MAILBOX_FULL', what, ...variable } });
}

/** A client that opens connections and sends nothing holds descriptors that others need. */
function boundConnectionsOf(app: App, clientShare: number): void {
  const most = Math.ceil(budgets.connections * clientShare);
  const refused = (of: 'client' | 'all', client: string, reason: string) =>
    emit({ name: 'request.refused', edge: 'rest', of, client, reason });
  boundConnections(app.server, {
    most: budgets.connections,
    mostOfAddress: most,
    dropped: (address) => refused('all', address, `${budgets.connections} connections of all clients are open`),
    refused: (address) =>
      refused('client', address, `this client has ${most} connections (SCHEDULER_API_CLIENT_SHARE)`),
  });
}

/** A chunked body has no length header: it is charged with the route's limit. Such clients are few. */
function bytesOf({ headers, routeOptions }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return routeOptions.bodyLimit ?? budgets.bodyBytes;
  return Number(headers['content-length'] ?? 0) || 0;
}

/** Time beyond the usual limit: the `wait` of a pop is in seconds, and its answer may come 2 s later. */
function waitMsOf({ query }: FastifyRequest): number {
  const { wait } = (query ?? {}) as { wait?: unknown };
  return typeof wait === 'number' && wait > 0 ? wait * 1_000 + popMarginMs - answerWithinMs : 0;
}
