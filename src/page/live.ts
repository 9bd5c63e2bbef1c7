import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Access } from '../control/operator-command.ts';
import { within } from '../deadline.ts';
import { codeOf, RotaError } from '../errors.ts';
import { excerpt } from '../printable.ts';
import type { Logger } from '../telemetry/log.ts';
import { type Page, parametersOf } from './page.ts';
import { isOurPath } from './reply.ts';
import type { Session } from './session.ts';

/**
 * Live updates: a watch for each address that is on a screen renders it again, once for all who look at it with the same access, and
 * sends the sections that changed as server-sent events. Without viewers there is no watch: no timer, no statement.
 */

/** Of all, of one token, and of one session: with all of its six connections in use a browser loads no other page. */
const mostStreams = 200;
const mostOfToken = 100;
const mostOfViewer = 4;
/** Distinct addresses: each costs its statements every second or two. */
const mostWatches = 100;
/** By one session: more than it has streams, for a watch that is left ends with its last look; and by all of one token. */
const mostWatchesOfViewer = 12;
const mostWatchesOfToken = 40;
/** Longer than each command of a page may take. */
const renderWithinMs = 15_000;
/** A slow network: what is unsent is not added to, and is given up after half a minute. */
const mostUnsentBytes = 64 * 1_024;
const giveUpMs = 30_000;
/** Then the browser connects again, and its session is looked at again. */
const streamMs = 600_000;
/** A browser that does not read the end of its stream is cut off. */
const endWithinMs = 5_000;
const afterFailureMs = 5_000;
/** A page at which nothing moved is looked at half as often, down to this: half of the 1.4 % of a core that one viewer costs. */
const quietMs = 2_000;

/** What a watch gets of a page; a hash is of all but ages. */
interface Parts {
  readonly sections: readonly { readonly id: string; readonly content: string; readonly hash: string }[];
  readonly liveMs: number | null;
}
interface Stream {
  readonly viewer: string;
  readonly token: string;
  readonly reply: FastifyReply;
  /** By section. */
  readonly sent: Map<string, string>;
  readonly ends: number;
  stuckSince: number | null;
}

interface Watch {
  readonly access: Access;
  readonly at: string;
  readonly begunBy: Pick<Stream, 'viewer' | 'token'>;
  readonly streams: Set<Stream>;
  /** Ends the rest between two looks. */
  rest: AbortController;
}

const query = z.object({ at: z.string().refine(isOurPath, 'expected a path of this page, at most 4096 characters') });

interface LiveOptions {
  /**
   * The page at a path and query, by one who may do that. Not through the server, whose hooks, bounds and texts would add a fifth to what a
   * watch costs: its viewers came through them.
   */
  readonly pageAt: (at: string, access: Access) => Promise<Page>;
  readonly now: () => number;
  readonly log: Logger;
  /** Of a stream that is not read; half a minute where absent. */
  readonly giveUpMs?: number;
}

export class LiveStreams {
  readonly #app: FastifyInstance;
  readonly #options: LiveOptions;
  readonly #watches = new Map<string, Watch>();
  #ended = false;

  constructor(app: FastifyInstance, options: LiveOptions) {
    this.#app = app;
    this.#options = options;
  }

  routes(): void {
    this.#app.get('/live', { exposeHeadRoute: false }, async (request, reply) => {
      const { at } = parametersOf(query, request.query as Record<string, string>);
      this.#begin(request.viewer, request.session!, at, reply);
    });
  }

  get size(): { readonly watches: number; readonly streams: number } {
    return { watches: this.#watches.size, streams: this.#all().length };
  }

  /** A reply that stays open would hold up the server's close. */
  end(): void {
    this.#ended = true;
    for (const watch of this.#watches.values()) this.#endAll(watch, 'bye');
  }

  /** Those of a session that was logged out. */
  endOf(viewer: string): void {
    for (const watch of this.#watches.values()) this.#endAll(watch, 'logout', viewer);
  }

  #all(): readonly Stream[] {
    return [...this.#watches.values()].flatMap(({ streams }) => [...streams]);
  }

  #begin(viewer: string, { name: token, access }: Session, at: string, reply: FastifyReply): void {
    const key = `${access} ${at}`;
    if (this.#ended || !this.#hasRoom(viewer, token, key))
      throw new RotaError('TOO_MANY_REQUESTS', 'too many live pages: this one asks again by itself');
    const ends = performance.now() + streamMs;
    const stream: Stream = { viewer, token, reply, sent: new Map(), ends, stuckSince: null };
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    // A write to a connection that is gone is an error of the response, and would be one of the process.
    raw.on('error', () => {});
    raw.write(': rota\n\n');
    const known = this.#watches.get(key);
    const watch = known ?? { access, at, begunBy: { viewer, token }, streams: new Set(), rest: new AbortController() };
    watch.streams.add(stream);
    raw.on('close', () => leave(watch, stream));
    if (known !== undefined) return;
    this.#watches.set(key, watch);
    void this.#run(watch).finally(() => this.#watches.delete(key));
  }

  #hasRoom(viewer: string, token: string, key: string): boolean {
    const streams = this.#all();
    const begun = [...this.#watches.values()].map(({ begunBy }) => begunBy);
    const begins =
      begun.length < mostWatches &&
      begun.filter((by) => by.token === token).length < mostWatchesOfToken &&
      begun.filter((by) => by.viewer === viewer).length < mostWatchesOfViewer;
    return (
      streams.length < mostStreams &&
      streams.filter((stream) => stream.token === token).length < mostOfToken &&
      streams.filter((stream) => stream.viewer === viewer).length < mostOfViewer &&
      (this.#watches.has(key) || begins)
    );
  }

  /** Renders as long as there is a viewer, never twice at once, and rests at least as long as it worked. */
  async #run(watch: Watch): Promise<void> {
    let shown = '';
    while (watch.streams.size > 0) {
      const began = performance.now();
      const parts = await this.#render(watch);
      const now = this.#options.now();
      if (parts === null) this.#send(watch, () => `event: stale\ndata: ${JSON.stringify({ now })}\n\n`);
      else this.#send(watch, changesFor(parts, now));
      if (parts !== null && parts.liveMs === null) this.#endAll(watch, 'end');
      watch.rest = new AbortController();
      if (watch.streams.size === 0) return;
      const took = performance.now() - began;
      const shows = parts === null ? '' : parts.sections.map(({ hash }) => hash).join(' ');
      const liveMs = parts?.liveMs ?? afterFailureMs;
      const restMs = shows === shown ? Math.max(liveMs, Math.min(2 * liveMs, quietMs)) : liveMs;
      shown = shows;
      await delay(Math.max(restMs - took, took), undefined, { signal: watch.rest.signal }).catch(() => {});
    }
  }

  async #render({ access, at }: Watch): Promise<Parts | null> {
    try {
      const asked = this.#options.pageAt(at, access);
      const { sections, liveMs = null, goTo } = await within(asked, renderWithinMs, 'ASK_TIMEOUT');
      if (goTo !== undefined) return null;
      return { sections: Object.entries(sections).map(([id, content]) => sectionOf(id, String(content))), liveMs };
    } catch (error) {
      // That there is no such page, or that a part does not answer, is for the screen.
      if (codeOf(error) === 'BROKEN') this.#options.log.warn({ err: error, path: excerpt(at) }, 'a live page failed');
      return null;
    }
  }

  #send(watch: Watch, textFor: (stream: Stream) => string): void {
    for (const stream of watch.streams) {
      const { raw } = stream.reply;
      if (raw.writableLength <= mostUnsentBytes) {
        stream.stuckSince = null;
        raw.write(textFor(stream));
        if (performance.now() > stream.ends) end(watch, stream);
      } else {
        stream.stuckSince ??= performance.now();
        if (performance.now() - stream.stuckSince > (this.#options.giveUpMs ?? giveUpMs)) raw.destroy();
      }
    }
  }

  /** `bye`: connect again. `end`: there is nothing more to come of this page. */
  #endAll(watch: Watch, event: 'bye' | 'end' | 'logout', viewer: string | null = null): void {
    for (const stream of watch.streams) if ((viewer ?? stream.viewer) === stream.viewer) end(watch, stream, event);
  }
}

function leave(watch: Watch, stream: Stream): void {
  watch.streams.delete(stream);
  if (watch.streams.size === 0) watch.rest.abort();
}

function end(watch: Watch, stream: Stream, last: string | null = null): void {
  const { raw } = stream.reply;
  leave(watch, stream);
  raw.end(last === null ? '' : `event: ${last}\ndata: {}\n\n`);
  const late = setTimeout(() => raw.destroy(), endWithinMs).unref();
  raw.once('close', () => clearTimeout(late));
}

const agesOf = /(<time [^<>]*>)[^<]*/g; // the browser counts them on

function sectionOf(id: string, content: string): Parts['sections'][number] {
  return { id, content, hash: createHash('sha1').update(content.replaceAll(agesOf, '$1')).digest('base64') };
}

/**
 * The sections that a stream has not as they are, or that nothing changed: a figure on a screen has an age.
 * Made once for all that lack the same.
 */
function changesFor(parts: Parts, now: number): (stream: Stream) => string {
  const texts = new Map<string, string>();
  return ({ sent }) => {
    const changed = parts.sections.filter(({ id, hash }) => sent.get(id) !== hash);
    for (const { id, hash } of changed) sent.set(id, hash);
    const key = changed.map(({ id }) => id).join(' ');
    const known = texts.get(key);
    if (known !== undefined) return known;
    const sections = Object.fromEntries(changed.map(({ id, content }) => [id, content]));
    const event = changed.length === 0 ? { now } : { now, sections };
    const text = `event: live\ndata: ${JSON.stringify(event)}\n\n`;
    texts.set(key, text);
    return text;
  };
}
