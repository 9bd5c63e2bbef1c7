import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerWithinMs, type Bounds, InFlight, popMarginMs, unanswered } from '../admission.ts';
import type { App } from './app.ts';
import { budgets } from './budgets.ts';
import { clientOf } from './roles.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Its part of what is in flight; null for what is not counted. */
    held: Held | null;
  }
}

/** Given back once all that holds it is over: the answer that leaves, and the work for it. */
interface Held {
  holders: number;
  readonly leave: () => void;
}

/** Cheap, and asked by what restarts us where they are refused. */
const unbounded: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

/**
 * Every request is answered: within 12 s, a pop 2 s after the end of its wait, also while the database hangs. And what waits is
 * bounded in number and bytes, for one client (its token, or its address) at `clientShare` of what there is for all: requests
 * before their bodies are read, answers until they have left.
 *
 * After the hooks that say who asks.
 */
export function installBounds(
  app: App,
  clientShare: number,
  late: (error: unknown, reply: FastifyReply) => void,
): void {
  const mostBytes = budgets.inFlightBytes;
  const pops = shares({ most: budgets.pops, mostBytes }, clientShare, 'pops', budgets.popsOfClient);
  const others = shares({ most: budgets.inFlight, mostBytes }, clientShare, 'requests');
  const answers = shares({ most: budgets.connections, mostBytes: budgets.answerBytes }, clientShare, 'answers');
  app.decorateRequest('held', null);
  app.addHook('onRoute', (route) => {
    if (readsNoBody(route.method, route.url)) route.bodyLimit = budgets.smallBodyBytes;
    if (unbounded.has(route.url)) return;
    const handle = route.handler;
    // Around each handler and not as hooks, which are a fortieth of what a pop costs each.
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
      const work: unknown = handle.call(this, request, reply);
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
      const held = { holders: 1, leave: kind.enter(clientOf(request), bytesOf(request)) };
      request.held = held;
      whenGone(reply, () => letGo(held));
    } catch (full) {
      // As Fastify does for a body that is too large: what is left unread would keep a server that closes for a minute.
      if (bytesOf(request) > 0) reply.header('connection', 'close');
      return done(full as Error);
    }
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.byteLength(payload) : 0;
    // What is shorter fits beside its socket in the kernel, and Node reads no more requests of a socket that is full.
    if (bytes < countedAnswerBytes) return done(null, payload);
    try {
      const leave = answers.enter(clientOf(request), bytes);
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

/** A list of tasks takes its filters as the body of a GET, as in mula; a log-in is one short field. */
function readsNoBody(method: string | string[], url: string): boolean {
  return url === '/login' || (url !== '/tasks' && [method].flat().every((one) => one === 'GET' || one === 'DELETE'));
}

function letGo(held: Held): void {
  held.holders -= 1;
  if (held.holders === 0) held.leave();
}

/** Once for each socket, which may have a thousand requests in its pipeline. */
const ofSockets = new WeakMap<Socket, Set<() => void>>();

/** Once the answer has left, or cannot any more: Node does not close the answers that wait in a pipeline behind another. */
function whenGone(
  {
    raw,
    request: {
      raw: { socket },
    },
  }: FastifyReply,
  act: () => void,
): void {
  let waiting = ofSockets.get(socket);
  if (waiting === undefined) {
    const all = new Set<() => void>();
    ofSockets.set(socket, (waiting = all));
    socket.once('close', () => {
      for (const one of all) one();
    });
  }
  const known = waiting;
  const once = () => {
    if (known.delete(once)) act();
  };
  known.add(once);
  raw.once('close', once);
}

/** A client's own bound is 503, too: 429 is a full queue to mula's clients, which then stop to push. */
export function shares(all: Bounds, share: number, what: string, mostOfClient = Infinity): InFlight {
  const ofClient = {
    most: Math.min(Math.ceil(all.most * share), mostOfClient),
    mostBytes: Math.ceil(all.mostBytes * share),
  };
  return new InFlight({
    all,
    ofClient,
    refusal: { code: 'MAILBOX_FULL', what, variable: 'SCHEDULER_API_CLIENT_SHARE' },
  });
}

/** Connections, too: a client that opens them and asks nothing holds descriptors that others need. */
function boundConnections(app: App, clientShare: number): void {
  const { server } = app;
  const most = Math.ceil(budgets.connections * clientShare);
  const open = new Map<string, number>();
  server.maxConnections = budgets.connections;
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once('close', () => {
      const left = open.get(address)! - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    if (count > most) socket.destroy();
  });
}

/** A body that comes in chunks tells no length: such clients are few, and are charged with what it may have. */
function bytesOf({ headers, routeOptions }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return routeOptions.bodyLimit ?? budgets.bodyBytes;
  return Number(headers['content-length'] ?? 0) || 0;
}

/** `wait` of a pop, in seconds; its answer may come 2 s later. */
function waitMsOf({ query }: FastifyRequest): number {
  const { wait } = (query ?? {}) as { wait?: unknown };
  return typeof wait === 'number' && wait > 0 ? wait * 1_000 + popMarginMs - answerWithinMs : 0;
}
