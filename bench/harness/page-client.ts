import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { newToken } from '../../src/api-tokens.ts';
import { freePort } from '../../src/embedded/process.ts';
import { cookieName, readPageAccess, Sessions } from '../../src/page/session.ts';

/** Streams of one session and of one token that a page serves (src/page/live.ts). */
const streamsOfSession = 4;
const streamsOfToken = 100;
/** Together they may ask for 15 000 pages a minute. */
const sessions = streamsOfToken / streamsOfSession;
/** A figure of a page may take as long as its slowest part. */
const beginWithinMs = 30_000;

/** A supervisor's page that is switched on, and who has logged in to it. */
export interface PageOn {
  readonly url: string;
  /** Environment variables of the supervisor. */
  readonly settings: Readonly<Record<string, string>>;
  /** `Cookie` headers of its sessions. */
  readonly cookies: readonly string[];
}

export async function pageOn(): Promise<PageOn> {
  const port = await freePort();
  const { token, line } = newToken('bench', 'operate');
  const secret = 'of one run: sessions are signed here, since log-ins are bounded';
  const settings = { SCHEDULER_PAGE_PORT: String(port), SCHEDULER_API_TOKENS: line, SCHEDULER_PAGE_SECRET: secret };
  const access = readPageAccess({ ...settings, SCHEDULER_PAGE_HOST: '127.0.0.1', SCHEDULER_PAGE_PORT: port })!;
  const begun = new Sessions(access, Date.now);
  const cookies = Array.from(
    { length: sessions },
    () => `${cookieName(access, 'page')}=${encodeURIComponent(begun.logIn(token)!.cookie)}`,
  );
  return { url: `http://127.0.0.1:${port}`, cookies, settings };
}

interface Fetched {
  readonly text: string;
  /** Over the wire: the status line and the headers, too. */
  readonly bytes: number;
}

/** One browser: a connection that is kept, and answers as browsers ask for them, compressed. */
export function visitor(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    /** @param compressed false: to read what it says */
    async get(path: string, cookie: string, compressed = true): Promise<Fetched> {
      const sent = httpRequest(new URL(path, url), { agent, headers: { cookie, ...(compressed ? gzip : {}) } });
      let before = 0;
      let socket: Socket | null = null;
      sent.once('socket', (given) => {
        socket = given;
        before = given.bytesRead;
      });
      const response = await answered(sent);
      let text = '';
      response.setEncoding('latin1');
      for await (const chunk of response) text += chunk as string;
      if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${text.slice(0, 300)}`);
      return { text, bytes: socket!.bytesRead - before };
    },
    close: () => agent.destroy(),
  };
}

export type PageVisitor = ReturnType<typeof visitor>;

const gzip = { 'accept-encoding': 'gzip' };

/** The files that a browser fetches with a page: those that it names, and what these import. */
export async function assetsOf(from: PageVisitor, path: string, cookie: string): Promise<readonly string[]> {
  const { text } = await from.get(path, cookie, false);
  const named = [...text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, asset]) => asset!);
  const found = new Set(named);
  for (const asset of found) {
    if (!asset.endsWith('.js')) continue;
    const script = (await from.get(asset, cookie, false)).text;
    for (const [, imported] of script.matchAll(/from '(\.\/[\w.-]+)'/g))
      found.add(new URL(imported!, `http://page${asset}`).pathname);
  }
  return [...found];
}

/** People who look at a page: each has a stream of it, and reads what comes. */
export interface Viewers {
  /** Events that came so far, over all of them. */
  readonly events: number;
  leave(): void;
}

/** Resolves once each has had its first event. */
export async function look({ url, cookies }: PageOn, at: string, viewers: number): Promise<Viewers> {
  if (viewers > streamsOfToken) throw new Error(`${viewers} viewers: one token has ${streamsOfToken} streams`);
  const path = `/live?at=${encodeURIComponent(at)}`;
  const open: ClientRequest[] = [];
  const leave = () => {
    for (const one of open) one.destroy();
  };
  let events = 0;
  const begun = Array.from({ length: viewers }, async (_none, number) => {
    const cookie = cookies[Math.floor(number / streamsOfSession)]!;
    const sent = httpRequest(new URL(path, url), { agent: false, headers: { cookie } });
    open.push(sent);
    const response = await answered(sent);
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`);
    // A client that leaves ends it in the middle.
    response.on('error', () => {});
    await new Promise<void>((resolve, reject) => {
      response.once('close', () => reject(new Error(`${path}: ended before its first event`)));
      response.on('data', (chunk: Buffer) => {
        if (!chunk.includes('event: live')) return;
        events += 1;
        resolve();
      });
    });
  });
  const late = setTimeout(leave, beginWithinMs);
  try {
    await Promise.all(begun);
  } catch (error) {
    leave();
    throw error;
  } finally {
    clearTimeout(late);
  }
  return {
    get events() {
      return events;
    },
    leave,
  };
}

function answered(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // For as long as it is open: a connection that breaks is an error of the request.
    sent.on('error', reject);
    sent.once('response', resolve);
    sent.end();
  });
}
