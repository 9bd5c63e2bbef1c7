import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerWithinMs, InFlight, unanswered } from '../in-flight.ts';
import type { App } from './app.ts';
import { budgets } from './budgets.ts';
import { clientOf } from './security.ts';

/** Cheap, and asked by what restarts us where they are refused. */
const unbounded: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

/**
 * Every request is answered: within 12 s, a pop 2 s after the end of its wait, also while the database hangs. And what waits is
 * bounded in number and bytes, for one client (its token, or its address) at `clientShare` of what there is for all.
 * Around each handler and not as hooks, which are a fortieth of what a pop costs each.
 */
export function installBounds(
  app: App,
  clientShare: number,
  late: (error: unknown, reply: FastifyReply) => void,
): void {
  const mostBytes = budgets.inFlightBytes;
  const pops = new Shares({ most: budgets.pops, mostBytes }, clientShare);
  const others = new Shares({ most: budgets.inFlight, mostBytes }, clientShare);
  app.addHook('onRoute', (route) => {
    if (unbounded.has(route.url)) return;
    const shares = route.url.endsWith('/pop') ? pops : others;
    const handle = route.handler;
    route.handler = function bounded(this: typeof app, request: FastifyRequest, reply: FastifyReply) {
      const leave = shares.enter(clientOf(request), bytesOf(request));
      const timer = setTimeout(
        () => {
          if (!reply.sent) late(unanswered(), reply);
        },
        answerWithinMs + waitMsOf(request),
      );
      const over = () => {
        clearTimeout(timer);
        leave();
      };
      const work: unknown = handle.call(this, request, reply);
      if (work instanceof Promise) work.then(over, over);
      else over();
      return work;
    };
  });
  boundConnections(app, clientShare);
}

interface Bounds {
  readonly most: number;
  readonly mostBytes: number;
}

/** What is in flight, of all clients and of each. A client is remembered for as long as it has something in flight. */
export class Shares {
  readonly #all: InFlight;
  readonly #bounds: Bounds;
  readonly #clients = new Map<string, { readonly inFlight: InFlight; requests: number }>();

  constructor(bounds: Bounds, share: number) {
    this.#all = new InFlight(bounds);
    this.#bounds = { most: Math.ceil(bounds.most * share), mostBytes: Math.ceil(bounds.mostBytes * share) };
  }

  /** @returns ends it. @throws RotaError MAILBOX_FULL */
  enter(client: string, bytes: number): () => void {
    const own = this.#clients.get(client) ?? { inFlight: new InFlight(this.#bounds), requests: 0 };
    own.inFlight.enter(bytes);
    try {
      this.#all.enter(bytes);
    } catch (full) {
      own.inFlight.leave(bytes);
      throw full;
    }
    own.requests += 1;
    this.#clients.set(client, own);
    return () => {
      own.requests -= 1;
      own.inFlight.leave(bytes);
      this.#all.leave(bytes);
      if (own.requests === 0) this.#clients.delete(client);
    };
  }
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

/** A body that came in chunks tells no length: such clients are few, and are charged with the writing of it. */
function bytesOf({ headers, body }: FastifyRequest): number {
  if (headers['content-length'] !== undefined) return Number(headers['content-length']) || 0;
  return body === undefined || body === null ? 0 : JSON.stringify(body).length;
}

/** `wait` of a pop, in seconds; its answer may come 2 s later. */
function waitMsOf({ query }: FastifyRequest): number {
  const { wait } = (query ?? {}) as { wait?: unknown };
  return typeof wait === 'number' && wait > 0 ? wait * 1_000 + popMarginMs - answerWithinMs : 0;
}

const popMarginMs = 2_000;
