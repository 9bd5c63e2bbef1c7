import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Access } from '../control/operator-command.ts';
import { RotaError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { parametersOf, type Page } from './page.ts';
import { type Session, sessionCookie } from './session.ts';

/**
 * Live updates: a watch for each address that is on a screen renders it again, once for all who look at it with the same access, and
 * sends the sections that changed as server-sent events. Without viewers there is no watch: no timer, no statement.
 */

/** Of all, and of one session: a browser opens six connections to a host. */
const mostStreams = 200;
const mostOfViewer = 6;
/** Distinct addresses: each costs its statements every second or two. */
const mostWatches = 100;
/** A slow network: what is unsent is not added to, and is given up after half a minute. */
const mostUnsentBytes = 64 * 1_024;
const giveUpMs = 30_000;
/** Then the browser connects again, and its session is looked at again. */
const streamMs = 600_000;
const afterFailureMs = 5_000;
const longestAddress = 4_096;

/** What a watch gets of a page. */
interface Parts {
  readonly sections: Readonly<Record<string, string>>;
  readonly liveMs: number | null;
}

interface Stream {
  /** A session, or an address where there are none. */
  readonly viewer: string;
  readonly reply: FastifyReply;
  /** By section. */
  readonly sent: Map<string, string>;
  readonly ends: number;
  stuckSince: number | null;
}

const query = z.object({
  at: z
    .string()
    .max(longestAddress)
    .regex(/^\/(?!\/)/, 'a path of this page'),
});

export class LiveStreams {
  readonly #app: FastifyInstance;
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #secret = randomBytes(24).toString('base64url');
  readonly #watches = new Map<string, Set<Stream>>();
  readonly #stop = new AbortController();

  constructor(app: FastifyInstance, options: { readonly now: () => number; readonly log: Logger }) {
    this.#app = app;
    this.#now = options.now;
    this.#log = options.log;
  }

  /** The session of a watch, which asks for its page as a browser does, through all of its checks. */
  isWatch({ headers }: FastifyRequest): Session | null {
    const given = headers['x-rota-watch'];
    if (given === `${this.#secret}.operate`) return { name: 'a live page', access: 'operate' };
    return given === `${this.#secret}.read` ? { name: 'a live page', access: 'read' } : null;
  }

  partsOf({ sections, liveMs }: Page): Parts {
    const texts = Object.entries(sections).map(([id, content]) => [id, String(content)]);
    return { sections: Object.fromEntries(texts) as Parts['sections'], liveMs: liveMs ?? null };
  }

  routes(): void {
    this.#app.get('/live', async (request, reply) => {
      const { at } = parametersOf(query, request.query as Record<string, string>);
      const viewer = request.cookies[sessionCookie] ?? request.ip;
      this.#begin(viewer, request.session!.access, at, reply);
    });
  }

  /** How many watches and streams there are. */
  get size(): { readonly watches: number; readonly streams: number } {
    return { watches: this.#watches.size, streams: this.#all().length };
  }

  /** A reply that stays open would hold up the server's close. */
  end(): void {
    this.#stop.abort();
    for (const { reply } of this.#all()) reply.raw.end('event: bye\ndata: {}\n\n');
    this.#watches.clear();
  }

  #all(): readonly Stream[] {
    return [...this.#watches.values()].flatMap((streams) => [...streams]);
  }

  #begin(viewer: string, access: Access, at: string, reply: FastifyReply): void {
    const streams = this.#all();
    const key = `${access} ${at}`;
    const full =
      streams.length >= mostStreams ||
      streams.filter((stream) => stream.viewer === viewer).length >= mostOfViewer ||
      (!this.#watches.has(key) && this.#watches.size >= mostWatches);
    if (full || this.#stop.signal.aborted)
      throw new RotaError('TOO_MANY_REQUESTS', 'too many live pages: this one asks again by itself');
    const stream: Stream = { viewer, reply, sent: new Map(), ends: performance.now() + streamMs, stuckSince: null };
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    const known = this.#watches.get(key);
    const watch = known ?? new Set<Stream>();
    watch.add(stream);
    reply.raw.on('close', () => {
      watch.delete(stream);
      if (watch.size === 0 && this.#watches.get(key) === watch) this.#watches.delete(key);
    });
    reply.raw.write(': rota\n\n');
    if (known === undefined) {
      this.#watches.set(key, watch);
      void this.#run(access, at, watch);
    }
  }

  /** Renders as long as somebody looks, never twice at once, and rests at least as long as it worked. */
  async #run(access: Access, at: string, watch: Set<Stream>): Promise<void> {
    while (watch.size > 0 && !this.#stop.signal.aborted) {
      const began = performance.now();
      const parts = await this.#render(access, at);
      const now = this.#now();
      if (parts === null) this.#send(watch, () => `event: stale\ndata: ${JSON.stringify({ now })}\n\n`);
      else this.#send(watch, (stream) => changesFor(stream, parts, now));
      const took = performance.now() - began;
      const restMs = parts?.liveMs ?? afterFailureMs;
      await delay(Math.max(restMs - took, took), undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  async #render(access: Access, at: string): Promise<Parts | null> {
    try {
      const headers = { 'x-rota-watch': `${this.#secret}.${access}` };
      const { statusCode, payload } = await this.#app.inject({ method: 'GET', url: at, headers });
      return statusCode === 200 ? (JSON.parse(payload) as Parts) : null;
    } catch (error) {
      this.#log.debug({ err: error }, 'a live page failed');
      return null;
    }
  }

  #send(watch: Set<Stream>, textFor: (stream: Stream) => string): void {
    for (const stream of watch) {
      const { raw } = stream.reply;
      if (performance.now() > stream.ends) raw.end();
      else if (raw.writableLength <= mostUnsentBytes) {
        stream.stuckSince = null;
        raw.write(textFor(stream));
      } else {
        stream.stuckSince ??= performance.now();
        if (performance.now() - stream.stuckSince > giveUpMs) raw.destroy();
      }
    }
  }
}

const agesOf = /(<time [^<>]*>)[^<]*/g;

/** The sections that this stream has not as they are, or that nothing changed: a figure on a screen has an age. */
function changesFor(stream: Stream, { sections }: Parts, now: number): string {
  const changed: Record<string, string> = {};
  for (const [id, content] of Object.entries(sections)) {
    // The browser counts ages on by itself.
    const hash = createHash('sha1').update(content.replaceAll(agesOf, '$1')).digest('base64');
    if (stream.sent.get(id) === hash) continue;
    stream.sent.set(id, hash);
    changed[id] = content;
  }
  const event = Object.keys(changed).length === 0 ? { now } : { now, sections: changed };
  return `event: live\ndata: ${JSON.stringify(event)}\n\n`;
}
