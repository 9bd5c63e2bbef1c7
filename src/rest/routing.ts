import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/**
 * What mula's framework answers where no route matches: 405 where the path is known, 307 to the path without its
 * trailing slash, else 404. Its `Allow` names the methods of the first route of that path only, and so does ours.
 */
export function installRouting(app: FastifyInstance): void {
  const known: { readonly pattern: RegExp; readonly methods: string }[] = [];

  app.addHook('onRoute', ({ url, method, schema }) => {
    if (schema?.hide === true) return;
    const pattern = new RegExp(`^${url.replaceAll(/:[a-z_]+/g, '[^/]+')}$`);
    known.push({ pattern, methods: [method].flat().join(', ') });
  });

  // Fastify lets a parameter be empty, so that `/schedulers/` would be the scheduler without a name.
  app.addHook('onRequest', (request, reply, done) => {
    const params = request.params as Readonly<Record<string, unknown>>;
    for (const name in params) if (params[name] === '') return reply.callNotFound();
    done();
  });

  const methodsOf = (path: string) => known.find(({ pattern }) => pattern.test(path))?.methods;

  app.setNotFoundHandler((request, reply) => {
    const { path, query } = split(request.raw.url ?? '/');
    const methods = methodsOf(path);
    if (methods !== undefined) return notAllowed(reply, methods);
    const withoutSlash = path.replace(/\/+$/, '');
    if (withoutSlash !== '' && withoutSlash !== path && methodsOf(withoutSlash) !== undefined) {
      return reply
        .code(307)
        .header('location', `${origin(request)}${withoutSlash}${query}`)
        .send();
    }
    return reply.code(404).send({ detail: 'Not Found' });
  });
}

function notAllowed(reply: FastifyReply, methods: string): FastifyReply {
  return reply.code(405).header('allow', methods).send({ detail: 'Method Not Allowed' });
}

/** Scheme and host as the client named them. */
export function origin(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`;
}

export function split(url: string): { path: string; query: string } {
  const at = url.indexOf('?');
  return at === -1 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at) };
}
