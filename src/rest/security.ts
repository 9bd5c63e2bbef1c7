import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { Answer } from './errors.ts';

/** Probes of orchestrators carry no token, and learn nothing but whether the service works. */
const open = new Set(['/health', '/ready']);

/** Asks for `Authorization: Bearer <token>` on every route but the probes. */
export function installToken(app: FastifyInstance, token: string): void {
  const expected = digest(token);
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.url !== undefined && open.has(request.routeOptions.url)) return;
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    // Digests are of one length, so that the comparison tells nothing about the token, its length included.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    throw new Answer(401, 'Not authenticated', { 'www-authenticate': 'Bearer' });
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
