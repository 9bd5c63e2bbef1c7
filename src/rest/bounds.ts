import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AdmissionBounds, answerWithinMs, InFlight, popMarginMs, Slab, unanswered } from '../admission.ts';
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

/** Released once both are over: the answer has left, and the handler is done. */
interface HeldPlace {
  holders: number;
  readonly leave: () => void;
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
      const { held } = request;
      if (held !== null) held.holders += 1;
      const over = () => {
        clearTimeout(timer);
        if (held !== null) letGo(held);
      };
      let work: unknown;
      try {
        work = handle.call(this, request, reply);
      } catch (error) {
        over();
        throw error;
      }
      if (work instanceof Promise) work.then(over, over);
      else over();
      return work;
    };
  });
  app.addHook('onRequest', (request, reply, done) => {
    const { url } = request.routeOptions;
    if (url !== undefined && unbounded.has(url)) return done();
    const kind = url?.endsWith('/pop') === true ? pops : others;
    try {
      const held = { holders: 1, leave: kind.enter(clientOfRequest(request), bytesOf(request)) };
      request.held = held;
      whenGone(reply, () => letGo(held));
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
      whenGone(reply, () => {
        clearTimeout(slow);
        leave();
      });
    } catch (full) {
      return done(full as Error);
    }
    done(null, payload);
  });
  boundConnections(app, clientShare);
}

const countedAnswerBytes = 4_096;

/** A GET of tasks has its filters in the body, as in mula; a log-in is one short field. */
function readsNoBody(method: string | string[], url: string): boolean {
  return url === '/login' || (url !== '/tasks' && [method].flat().every((one) => one === 'GET' || one === 'DELETE'));
}

function letGo(held: HeldPlace): void {
  held.holders -= 1;
  if (held.holders === 0) held.leave();
}

/** One listener for each socket, which may have a thousand pipelined requests. */
const ofSockets = new WeakMap<Socket, Slab<() => void>>();

/** Acts once the answer has left, or its socket is closed: Node does not close the answers that wait behind another in a pipeline. */
function whenGone(
  {
    raw,
    request: {
      raw: { socket },
    },
  }: FastifyReply,
  act: () => void,
): void {
  // Each says so once: a later listener would never be called.
  if (socket.destroyed || raw.destroyed) return act();
  let waiting = ofSockets.get(socket);
  if (waiting === undefined) {
    const all = new Slab<() => void>();
    ofSockets.set(socket, (waiting = all));
    socket.once('close', () => {
      for (const one of all) one();
    });
  }
  const known = waiting;
  const once = () => {
    if (known.remove(key, once)) act();
  };
  const key = known.add(once);
  raw.once('close', once);
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

/** Bounds connections, too: a client that opens them and sends nothing holds descriptors that others need. */
function boundConnections(app: App, clientShare: number): void {
  const { server } = app;
  const most = Math.ceil(budgets.connections * clientShare);
  const open = new Map<string, number>();
  const refused = (of: 'client' | 'all', client: string, reason: string) =>
    emit({ name: 'request.refused', edge: 'rest', of, client, reason });
  server.maxConnections = budgets.connections;
  server.on('drop', (dropped) =>
    refused('all', dropped?.remoteAddress ?? '', `${budgets.connections} connections of all clients are open`),
  );
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once('close', () => {
      const left = open.get(address)! - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    if (count <= most) return;
    refused('client', address, `this client has ${most} connections (SCHEDULER_API_CLIENT_SHARE)`);
    socket.destroy();
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
