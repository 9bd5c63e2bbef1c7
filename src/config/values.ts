import { z } from 'zod';
import { partsOf } from '../postgres/dsn.ts';
import { decimalOf, flagOf, integerOf } from '../tasks/lax.ts';

/**
 * The kinds of values that a variable may have. Each says what it allows: in the message that refuses a value, and in
 * docs/configuration.md (`allowedIn`).
 */

/** 0 and 1 are numbers to pydantic, and words to it in an environment. */
export const flag = (fallback: boolean) =>
  defaulting(read('`true` or `false` (also 1/0, t/f, yes/no, y/n, on/off, in any case)', flagOf), fallback);

/** Bounds are part of what is allowed: without a greatest value a timer overflows (2^31 ms), or the database's integer. */
export const count = (fallback: number, { least = 0, most = 1_000_000 } = {}) =>
  defaulting(read(`a whole number from ${least} to ${most}`, between(integerOf, least, most)), fallback);

/** As above, and nothing where it is not set. */
export const countOrNone = ({ least = 0, most = 1_000_000 } = {}) =>
  optional(read(`a whole number from ${least} to ${most}`, between(integerOf, least, most)));

export const seconds = (fallback: number, { least = 1, most = 31_536_000 } = {}) =>
  defaulting(read(`a number from ${least} to ${most}`, between(decimalOf, least, most)), fallback);

/** A part of a whole. */
export const share = (fallback: number) =>
  defaulting(read('a number from 0.01 to 1', between(decimalOf, 0.01, 1)), fallback);

export const choice = <const Word extends string>(words: readonly Word[], fallback: NoInfer<Word>) => {
  const wordOf = (given: string) => words.find((word) => word === given.toLowerCase()) ?? null;
  return defaulting<Word>(read(words.map((word) => `\`${word}\``).join(' or '), wordOf), fallback);
};

/** @param form brings it to the form in which Rota uses it; null where it is none. */
export const url = (allowed: string, form: (text: string) => string | null) => optional(read(allowed, form));

export const matching = (allowed: string, pattern: RegExp) =>
  read(allowed, (text) => (pattern.test(text) ? text : null));

/** Unchanged: quotes and spaces may belong to a password. */
export const text = () => optional(telling(z.string(), 'any text'));

/** Unchanged too, but of one form: a token that no header can carry would always be answered 401. */
export const formedText = (allowed: string, form: RegExp) =>
  optional(
    telling(
      z.string().refine((given) => form.test(given), { error: allowed }),
      allowed,
    ),
  );

/** What a variable may be set to; null where its schema does not say it. */
export function allowedIn(schema: z.ZodType): string | null {
  const allowed = schema.meta()?.['allowed'];
  return typeof allowed === 'string' ? allowed : null;
}

export function optional<Schema extends z.ZodType>(schema: Schema) {
  return telling(schema.optional(), allowedIn(schema));
}

export function defaulting<T extends string | number | boolean>(schema: z.ZodType<T>, fallback: T) {
  return telling(schema.default(fallback as z.util.NoUndefined<T>), allowedIn(schema));
}

function read<T>(allowed: string, reader: (text: string) => T | null) {
  const schema = z.string().transform((given, context): T => {
    const value = reader(bare(given));
    if (value !== null) return value;
    context.addIssue({ code: 'custom', message: allowed.replaceAll('`', '') });
    return z.NEVER;
  });
  return telling(schema, allowed);
}

/** zod keeps the metadata of a schema for that schema alone, not for schemas made from it. */
function telling<Schema extends z.ZodType>(schema: Schema, allowed: string | null): Schema {
  return allowed === null ? schema : schema.meta({ allowed });
}

/** Without the quotes that `docker run --env-file` leaves round a value, and without spaces. */
export function bare(given: string): string {
  return given
    .trim()
    .replace(/^(["'])(.*)\1$/s, '$2')
    .trim();
}

function between(reader: (text: string) => number | null, least: number, most: number) {
  return (given: string) => {
    const value = reader(given);
    return value !== null && value >= least && value <= most ? value : null;
  };
}

/**
 * The URLs of services as KAT's env files have them, in the one form that the rest of Rota reads; null for a text that is no such
 * URL.
 */

/** SQLAlchemy names its driver in the scheme: `postgresql+psycopg2://`. */
const sqlalchemy = /^postgres(?:ql)?\+[a-z0-9_-]+(?=:\/\/)/i;

/** Its parameters are checked at the first connection (src/postgres/dsn.ts), with a sentence for each. */
export function readDatabaseUrl(text: string): string | null {
  const url = text.replace(sqlalchemy, 'postgresql');
  return partsOf(url) === null ? null : url;
}

/** pika, which mula uses, logs in as guest where the URL names no user. */
export function readBrokerUrl(text: string): string | null {
  const read = readUrl(text, ['amqp:', 'amqps:']);
  if (read === null) return null;
  const { username, password } = new URL(read);
  return username === '' && password === '' ? read.replace('://', '://guest:guest@') : read;
}

/** One or more, comma-separated. Not `wss:`: the library would speak plain NATS there, with the password in clear. */
export function readNatsServers(text: string): string | null {
  const servers = text.split(',').map((server) => {
    const trimmed = server.trim();
    return trimmed === '' ? null : readUrl(withScheme(trimmed, 'nats'), ['nats:', 'tls:']);
  });
  return servers.includes(null) ? null : servers.join(',');
}

export function readHttpUrl(text: string): string | null {
  return readUrl(text, ['http:', 'https:']);
}

export function readHttpUrls(text: string): string | null {
  const urls = text.split(',').map((url) => readHttpUrl(url.trim()));
  return urls.includes(null) ? null : urls.join(',');
}

/** OpenTelemetry's own clients take `host:port` too. */
export function readEndpoint(text: string): string | null {
  return readHttpUrl(withScheme(text, 'http'));
}

function withScheme(text: string, scheme: string): string {
  return text.includes('://') ? text : `${scheme}://${text}`;
}

function readUrl(text: string, protocols: readonly string[]): string | null {
  // Python leaves a percent sign that encodes nothing; here it would break the decoding of a password.
  const escaped = text.replaceAll(/%(?![0-9a-f]{2})/gi, '%25');
  if (!escaped.includes('://') || !URL.canParse(escaped)) return null;
  const url = new URL(escaped);
  return protocols.includes(url.protocol) && isDecodable(url) ? escaped : null;
}

function isDecodable({ username, password, pathname }: URL): boolean {
  try {
    decodeURIComponent(username + password + pathname);
    return true;
  } catch {
    return false;
  }
}
