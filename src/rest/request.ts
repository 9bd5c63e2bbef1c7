import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Answer, detailsOf, invalid, type Location, type ValidationDetail } from './errors.ts';
import { jsonExcess, mostValues } from '../tasks/nesting.ts';
import { jsonFault } from './json-fault.ts';
import { isJsonType } from './origins.ts';
import { repeatedParameters } from './schemas.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What is wrong with the request; only a route with `attachValidation` gets to see any. */
    faults: readonly ValidationDetail[];
  }
}

/**
 * Reads and validates requests as FastAPI does: a body whose content type is absent or JSON is JSON, any other is a
 * text that no model accepts; path, query and body are all validated, and every fault is in one 422.
 */
export function installValidation(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, readBody(body as Buffer, request.headers['content-type']));
    } catch (error) {
      done(error as Error);
    }
  });
  // `validate` collects the faults of all parts; Fastify's own validation would stop at the first part.
  app.setValidatorCompiler(() => (value) => ({ value }));
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest('faults');
  // Hooks that call back: a promise for each of three at every request is what a pop can do without.
  app.addHook('preValidation', validate);
}

/** Of a repeated parameter the last value counts, but for those that are lists. */
export function parseQuery(query: string): Record<string, string | string[]> {
  const parsed: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  const parameters = new URLSearchParams(query);
  for (const [name, value] of parameters) {
    if (!repeatedParameters.has(name)) parsed[name] = value;
    // Once for all of them: asked at each, it is the square of their number.
    else parsed[name] ??= parameters.getAll(name);
  }
  return parsed;
}

function readBody(body: Buffer, contentType: string | undefined): unknown {
  if (body.length === 0) return undefined;
  let decoded: string;
  try {
    decoded = utf8.decode(body);
  } catch {
    throw new Answer(400, 'There was an error parsing the body');
  }
  if (!isJson(contentType)) return decoded;
  const excess = jsonExcess(decoded);
  if (excess === 'depth') throw new Answer(400, 'There was an error parsing the body');
  if (excess === 'values') throw new Answer(413, `Request body has more than ${mostValues} values`);
  try {
    return JSON.parse(decoded);
  } catch {
    const { position, error } = jsonFault(decoded);
    const detail = { type: 'json_invalid', loc: ['body', position], msg: 'JSON decode error', input: {} };
    throw invalid([{ ...detail, ctx: { error } }]);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function isJson(contentType: string | undefined): boolean {
  if (contentType === undefined || contentType === '') return true;
  return isJsonType(contentType);
}

function validate(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const schema = request.routeOptions.schema ?? {};
  const faults: ValidationDetail[] = [];
  const read = (location: Location, part: unknown, value: unknown): unknown => {
    if (!(part instanceof z.ZodType)) return value;
    const result = part.safeParse(value);
    if (result.success) return result.data;
    faults.push(...detailsOf(result.error, location, value));
    return value;
  };
  request.params = read('path', schema.params, request.params);
  request.query = read('query', schema.querystring, request.query);
  request.body = readBodyPart(schema.body, request.body, faults, read);
  request.faults = faults;
  done(faults.length > 0 && !request.routeOptions.attachValidation ? invalid(faults) : undefined);
}

/** An absent body and `null` are the same to FastAPI: missing where a body is required. */
function readBodyPart(
  part: unknown,
  value: unknown,
  faults: ValidationDetail[],
  read: (location: Location, part: unknown, value: unknown) => unknown,
): unknown {
  if (!(part instanceof z.ZodType)) return value;
  if (value !== undefined && value !== null) return read('body', part, value);
  if (part.safeParse(undefined).success) return null;
  faults.push({ type: 'missing', loc: ['body'], msg: 'Field required', input: null });
  return value;
}
