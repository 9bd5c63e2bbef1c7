import { partsOf } from './postgres/dsn.ts';

/**
 * The URLs of services as KAT's env files have them, brought to the one form in which the rest of Rota reads them; null for
 * what is no such URL.
 */

/** SQLAlchemy names its driver in the scheme: `postgresql+psycopg2://`. */
const sqlalchemy = /^postgres(?:ql)?\+[a-z0-9_-]+(?=:\/\/)/i;

/** What its parameters say is looked at where the first connection is made (src/postgres/dsn.ts), with a sentence for each. */
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
  // A percent sign that encodes nothing stands for itself in Python; here it would end the decoding of a password.
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
