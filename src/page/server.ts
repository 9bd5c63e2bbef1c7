import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import compress from '@fastify/compress';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import files from '@fastify/static';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Access, CommandAudit } from '../control/operator-command.ts';
import type { OperatorClient } from '../control/overview.ts';
import { RotaError } from '../errors.ts';
import { excerpt, oneLine } from '../printable.ts';
import type { Logger } from '../telemetry/log.ts';
import { actionRoute, takeNotice } from './actions.ts';
import { installBounds, withinPage } from './bounds.ts';
import { BulkJobs } from './bulk-jobs.ts';
import { address, html } from './html.ts';
import { documentOf, type Frame, plainDocument, sectionsOf } from './layout.ts';
import { LiveStreams } from './live.ts';
import { sessionRoutes, themes } from './login.ts';
import { bareHeaders, installOrigin, securityHeaders } from './origin.ts';
import type { Page, PageRequest } from './page.ts';
import { state } from './pieces.ts';
import { answerTo, isOurPath, send, single } from './reply.ts';
import { cookieName, type PageAccess, type Session, Sessions } from './session.ts';
import { progressOf } from './views/job.ts';
import { viewAt, views } from './views/views.ts';

export interface PageOptions {
  readonly access: PageAccess;
  /** The commands, in the name and with the access of a session. */
  readonly operatorsFor: (caller: { readonly by: string; readonly access: Access }) => OperatorClient;
  readonly audit: CommandAudit;
  /** What the header calls the installation. */
  readonly place: string;
  /** The database's time, in epoch milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

export interface PageServer {
  /** @returns the URL that it listens on. @throws RotaError BAD_CONFIG where it cannot */
  listen(): Promise<string>;
  close(): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null before the log-in. */
    session: Session | null;
  }
}

const browserFiles = fileURLToPath(new URL('browser/', import.meta.url));
const morphing = fileURLToPath(import.meta.resolve('idiomorph/dist/idiomorph.min.js'));
/** Of a form; the largest has 500 ids. */
const bodyBytes = 64 * 1_024;
/** Of figures of the database on a page that is looked at again every second or two. */
const maxAgeSeconds = 5;
/** A browser sends a whole request within that, or is slowing us down. */
const requestWithinMs = 20_000;
/** Node swaps the two where headers may take longer (60 s), and looks each half minute. */
const timeouts = { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 };
/** Then connections are cut: a client that does not read its answer would hold up the end of the process. */
const closeWithinMs = 2_000;

/** The operations page (docs/page.md): an edge with a port, headers and sessions of its own. */
export async function createPageServer(options: PageOptions): Promise<PageServer> {
  const { access, log } = options;
  const app = fastify({
    ...(access.tls === null ? { http: timeouts } : { https: { ...access.tls, ...timeouts } }),
    bodyLimit: bodyBytes,
    requestTimeout: requestWithinMs,
    connectionTimeout: 120_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 2_100, ignoreTrailingSlash: true },
    frameworkErrors: (error, _request, reply) =>
      void (reply as FastifyReply)
        .code(400)
        .headers(bareHeaders)
        .type('text/plain')
        .send(excerpt(oneLine(error.message))),
  }) as FastifyInstance;
  const sessions = new Sessions(access, options.now);
  const assets = `/assets/${hashOfAssets()}`;
  await app.register(helmet, securityHeaders(access));
  await app.register(cookie);
  app.removeAllContentTypeParsers();
  await app.register(formbody, { bodyLimit: bodyBytes });
  await app.register(compress, { global: true, encodings: ['gzip', 'identity'], threshold: 1_024 });
  await app.register(files, {
    root: browserFiles,
    prefix: `${assets}/`,
    immutable: true,
    maxAge: '365d',
    index: false,
  });

  const streams = new LiveStreams(app, { now: options.now, log, pageAt });
  app.decorateRequest('session', null);
  app.decorateRequest('viewer', '');
  installOrigin(app, access);
  app.addHook('onRequest', async (request, reply) => {
    if (!request.url.startsWith('/assets/')) reply.header('cache-control', 'no-store');
    const cookie = request.cookies[cookieName(access, 'page')];
    request.session = sessions.of(cookie);
    request.viewer = request.session !== null && sessions.areAsked && cookie !== undefined ? cookie : request.ip;
    if (request.session !== null || isOpen(request)) return;
    const isForPage = request.method === 'GET' && request.headers['x-part'] === undefined;
    if (!isForPage || request.routeOptions.url === '/live') throw new RotaError('UNAUTHORIZED', 'log in first');
    const back = request.url !== '/' && isOurPath(request.url) ? request.url : null;
    return reply.redirect(address('/login', { back }), 303);
  });
  await installBounds(app, { isBehindProxy: access.publicUrls.length > 0 });
  app.setErrorHandler(async (error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, async (request, reply) =>
    sendError(notFound(request), request, reply),
  );

  const jobs = new BulkJobs({ now: options.now, audit: options.audit });
  app.get(`${assets}/idiomorph.js`, (_request, reply) => reply.sendFile('idiomorph.min.js', dirname(morphing)));
  app.get('/robots.txt', (_request, reply) => reply.type('text/plain').send('User-agent: *\nDisallow: /\n'));
  sessionRoutes(app, { assets, sessions, access, log, onLogOut: (cookie) => streams.endOf(cookie) });
  streams.routes();
  actionRoute(app, { sessions, access, requestOf, sendPage });
  for (const [path, view] of Object.entries(views)) {
    app.get(path, async (request, reply) => {
      const page = await withinPage(path, view(requestOf(request)), request.held);
      return page.goTo === undefined ? sendPage(request, reply, page) : reply.redirect(page.goTo, 303);
    });
  }

  /** What a watch looks at: a page alone, not the log-in, nor a stream, which would not end. */
  async function pageAt(at: string, access: Access): Promise<Page> {
    const found = viewAt(at);
    if (found === null) throw notFound({ url: at });
    const { path, view, ...parts } = found;
    return withinPage(path, view({ ...requestBy({ name: 'a live page', access }, true), at, ...parts }), null);
  }

  function requestOf(request: FastifyRequest): PageRequest {
    return {
      ...requestBy(request.session!, request.headers['x-part'] === 'live'),
      at: atOf(request),
      params: request.params as Readonly<Record<string, string>>,
      query: single(request.query as Readonly<Record<string, string | string[]>>),
    };
  }

  function requestBy({ name: by, access: may }: Session, isRepeated: boolean) {
    return {
      operators: options.operatorsFor({ by, access: may }),
      access: may,
      by,
      jobs,
      now: options.now(),
      maxAgeSeconds: isRepeated ? maxAgeSeconds : 0,
    };
  }

  function sendPage(request: FastifyRequest, reply: FastifyReply, page: Page): FastifyReply {
    if (request.headers['x-part'] === 'live')
      return send(reply.header('x-now', options.now()), sectionsOf(page.sections));
    return send(reply, documentOf(page, frameOf(request, reply)));
  }

  function frameOf(request: FastifyRequest, reply: FastifyReply): Frame {
    const query = single(request.query as Readonly<Record<string, string | string[]>>);
    const theme = themes.find((one) => one === request.cookies['theme']) ?? 'auto';
    return {
      assets,
      place: options.place,
      path: request.url.split('?')[0]!,
      at: atOf(request),
      who: request.session,
      mayLogOut: sessions.areAsked,
      theme,
      wall: query['wall'] === '1',
      now: options.now(),
      notice: takeNotice(request, reply, sessions, access),
      jobs: jobs
        .list()
        .filter(({ id, state }) => state === 'runs' && request.url !== `/jobs/${id}`)
        .map(({ id, ...job }) => ({ id, text: progressOf(job) })),
    };
  }

  function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { status, sentence } = answerTo(error);
    if (status === 500) log.error({ err: error, path: excerpt(request.url) }, 'page failed');
    const title = status === 404 ? 'Not found' : status === 403 ? 'Not allowed' : 'This did not work';
    const said = html`<p role="alert">${state('bad', sentence)}</p>
      ${
        status >= 500
          ? html`<p><a href="">Try again</a>, or see <a href="/">what is wrong</a>.</p>`
          : html`<p><a href="/">Overview</a></p>`
      }`;
    reply.code(status).header('cache-control', 'no-store');
    if (request.session === null) return send(reply, plainDocument(assets, title, said));
    return send(reply, documentOf({ title, sections: { error: said } }, frameOf(request, reply)));
  }

  return {
    async listen() {
      const { host, port } = access;
      return app.listen({ host, port }).catch((cause: Error) => {
        throw new RotaError(
          'BAD_CONFIG',
          `the page cannot listen at ${host}:${port} (${cause.message}): SCHEDULER_PAGE_PORT`,
          {
            cause,
          },
        );
      });
    },
    async close() {
      streams.end();
      const late = setTimeout(() => app.server.closeAllConnections(), closeWithinMs);
      await Promise.all([app.close(), jobs.end()]).finally(() => clearTimeout(late));
    },
  };
}

function notFound({ url }: { readonly url: string }): RotaError {
  return new RotaError('NOT_FOUND', `there is no page ${excerpt(oneLine(url))}`);
}

/** Empty where it is too long to be kept in forms, or looked at again. */
function atOf({ url }: FastifyRequest): string {
  return isOurPath(url) ? url : '';
}

function isOpen({ routeOptions, url }: FastifyRequest): boolean {
  return url.startsWith('/assets/') || routeOptions.url === '/login' || routeOptions.url === '/robots.txt';
}

/** Changes with the files, so that browsers may keep each for ever. */
function hashOfAssets(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(browserFiles).toSorted()) hash.update(readFileSync(`${browserFiles}${name}`));
  return hash.update(readFileSync(morphing)).digest('hex').slice(0, 12);
}
