import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HttpError, detailsOf, invalid, type Location, type ValidationDetail } from './errors.ts';
import { jsonExcess, mostValues } from '../tasks/limits.ts';
import { repeatedParameters } from './schemas.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The faults of the request; only a route with `attachValidation` sees any. */
    faults: readonly ValidationDetail[];
  }
}

/**
 * Reads and validates requests as FastAPI does: a body is JSON where its content type is absent or JSON, and otherwise a text that
 * no model accepts. Path, query and body are all validated, and one 422 has every fault.
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
  // Hooks with callbacks: three promises for each request would slow a pop.
  app.addHook('preValidation', validate);
}

/** The last value of a repeated parameter counts; those in `repeatedParameters` are lists. */
export function parseQuery(query: string): Record<string, string | string[]> {
  const parsed: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  const parameters = new URLSearchParams(query);
  for (const [name, value] of parameters) {
    if (!repeatedParameters.has(name)) parsed[name] = value;
    // Once for each name: at each value it would take the square of their number.
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
    throw new HttpError(400, 'There was an error parsing the body');
  }
  if (!isJson(contentType)) return decoded;
  const excess = jsonExcess(decoded);
  if (excess === 'depth') throw new HttpError(400, 'There was an error parsing the body');
  if (excess === 'values') throw new HttpError(413, `Request body has more than ${mostValues} values`);
  try {
    return JSON.parse(decoded);
  } catch {
    const loc = ['body', faultPosition(decoded)];
    throw invalid([
      { type: 'json_invalid', loc, msg: 'JSON decode error', input: {}, ctx: { error: 'expected JSON' } },
    ]);
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

/** FastAPI treats `null` as an absent body: missing where a body is required. */
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

const jsonType = /^application\/(?:json|[^\s;/]+\+json)$/;

/** As FastAPI: without its parameters, and `application/…+json` too. */
export function isJsonType(contentType: string): boolean {
  return jsonType.test(contentType.split(';', 1)[0]!.trim().toLowerCase());
}

/**
 * Where a text that JSON.parse refused stops being JSON. FastAPI has the position in `loc`: in characters, not UTF-16 units, and as
 * Python's decoder counts (of a string without an end its beginning, of a comma too many the comma).
 */
export function faultPosition(text: string): number {
  const scanner = new JsonScanner(text);
  scanner.value();
  // Counted, not split: a list of the characters of 2 MB is 16 MB and more.
  let count = 0;
  for (let at = 0; at < scanner.at; at += text.codePointAt(at)! > 0xff_ff ? 2 : 1) count += 1;
  return count;
}

const blank = /[ \t\n\r]*/y;
const literal = /null|true|false|NaN|-?Infinity|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Up to the next quote, backslash or control character. */
// oxlint-disable-next-line no-control-regex
const plain = /[^"\\\u0000-\u001f]*/y;
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Each method reads one part, and says whether it was whole; where it was not, `at` is the place of the fault. */
class JsonScanner {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** With the blanks around it. */
  value(): boolean {
    this.#take(blank);
    const first = this.#text[this.at];
    const whole =
      first === '{' || first === '['
        ? this.#members(first === '{')
        : first === '"'
          ? this.#string()
          : this.#take(literal);
    if (whole) this.#take(blank);
    return whole;
  }

  #members(named: boolean): boolean {
    const end = named ? '}' : ']';
    this.at += 1;
    this.#take(blank);
    if (this.#skip(end)) return true;
    for (;;) {
      if ((named && !this.#name()) || !this.value()) return false;
      if (this.#skip(end)) return true;
      const comma = this.at;
      if (!this.#skip(',')) return false;
      this.#take(blank);
      if (this.#text[this.at] === end) {
        this.at = comma;
        return false;
      }
    }
  }

  #name(): boolean {
    if (this.#text[this.at] !== '"' || !this.#string()) return false;
    this.#take(blank);
    return this.#skip(':');
  }

  #string(): boolean {
    const start = this.at;
    this.at += 1;
    do this.#take(plain);
    while (this.#take(escape));
    if (this.#skip('"')) return true;
    const rest = this.#text.slice(this.at, this.at + 2);
    if (rest === '' || rest === '\\') this.at = start;
    else if (rest === String.raw`\u`) this.at += 1;
    return false;
  }

  #skip(character: string): boolean {
    if (this.#text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text);
    if (match === null) return false;
    this.at += match[0].length;
    return true;
  }
}
