import { createHash, createHmac, randomBytes } from 'node:crypto';
import { Signer } from '@fastify/cookie';
import { type ApiToken, holderOf, readTokens, type TokenSettings } from '../api-tokens.ts';
import { isLoopback } from '../admission.ts';
import type { Access } from '../control/operator-command.ts';
import { RotaError } from '../errors.ts';

/** Who may look at the page, and who may act. */
export interface PageAccess {
  readonly host: string;
  readonly port: number;
  /** Of the REST API: a role of `read` or `work` looks, `operate` acts. Without any, everybody on this machine looks. */
  readonly tokens: readonly ApiToken[];
  /** Logs in once, as `dev`; null but for `rota dev`. */
  readonly once: string | null;
  readonly secret: string;
  /** Of this installation: browsers send the cookies of one host name to each of its ports. */
  readonly cookieSuffix: string;
  /** Origins under which browsers reach the page beside its own address. */
  readonly publicUrls: readonly string[];
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
}

/** Whether browsers reach the page over TLS: its cookies are for that alone then. */
export function isSecure({ tls, publicUrls }: PageAccess): boolean {
  return tls !== null || publicUrls.some((url) => url.startsWith('https:'));
}

interface PageSettings extends TokenSettings {
  readonly SCHEDULER_PAGE_HOST: string;
  readonly SCHEDULER_PAGE_PORT?: number | undefined;
  readonly SCHEDULER_PAGE_SECRET?: string | undefined;
  readonly SCHEDULER_PAGE_PUBLIC_URL?: string | undefined;
}

/**
 * @param once a code that logs in once; `rota dev` prints a link with it
 * @returns null where no port is configured: there is no page
 * @throws RotaError BAD_CONFIG where it would be open to a network
 */
export function readPageAccess(
  config: PageSettings,
  { once = null, tls = null }: { readonly once?: string | null; readonly tls?: PageAccess['tls'] } = {},
): PageAccess | null {
  const { SCHEDULER_PAGE_HOST: host, SCHEDULER_PAGE_PORT: port } = config;
  if (port === undefined) return null;
  const tokens = [...readTokens(config), ...(once === null ? [] : [onceToken(once)])];
  if (tokens.length === 0 && !isLoopback(host)) {
    throw new RotaError(
      'BAD_CONFIG',
      `SCHEDULER_PAGE_HOST=${host}: without tokens the page is for this machine alone; ` +
        'set SCHEDULER_API_TOKENS_FILE (rota token new), or leave the host out',
    );
  }
  // Sessions of a secret of this process end with it; a configured one is shared by all supervisors behind one address.
  const secret = config.SCHEDULER_PAGE_SECRET ?? randomBytes(32).toString('base64url');
  const publicUrls = config.SCHEDULER_PAGE_PUBLIC_URL?.split(',') ?? [];
  // All supervisors behind one address have one secret; without it each is at a port of its own.
  const installation = config.SCHEDULER_PAGE_SECRET === undefined ? `port ${port}` : keyFor('cookie', secret);
  const cookieSuffix = createHash('sha256')
    .update(JSON.stringify([installation, publicUrls]))
    .digest('hex')
    .slice(0, 8);
  return { host, port, tokens, once, secret, cookieSuffix, publicUrls, tls };
}

function onceToken(code: string): ApiToken {
  return { name: 'dev', role: 'operate', digest: createHash('sha256').update(code).digest() };
}

export interface Session {
  readonly name: string;
  readonly access: Access;
}

/** `__Host-`: no other host of the domain, and nothing without TLS, can set it. */
export function cookieName(access: PageAccess, what: 'page' | 'notice'): string {
  return `${isSecure(access) ? '__Host-' : ''}rota_${what}_${access.cookieSuffix}`;
}

export const sessionSeconds = 12 * 60 * 60;

/** Log-in, and what a cookie says: a name, an end, a part of the token's digest and a nonce, signed. It ends with its token. */
export class Sessions {
  readonly #access: PageAccess;
  readonly #signer: Signer;
  readonly #sealer: Signer;
  readonly #now: () => number;
  readonly #used = new Set<string>();
  readonly #loggedOut = new Set<string>();
  #once: string | null;

  constructor(access: PageAccess, now: () => number) {
    this.#access = access;
    this.#signer = new Signer(keyFor('session', access.secret), 'sha256');
    this.#sealer = new Signer(keyFor('seal', access.secret), 'sha256');
    this.#once = access.once;
    this.#now = now;
  }

  /** Whether there are tokens, so that a session begins with a log-in. */
  get areAsked(): boolean {
    return this.#access.tokens.length > 0;
  }

  /** The value of the cookie; null for a token that there is not. The code of `rota dev` works once. */
  logIn(given: string): { readonly session: Session; readonly cookie: string } | null {
    const holder = holderOf(this.#access.tokens, given);
    if (holder === null) return null;
    if (given === this.#access.once) {
      if (this.#once === null) return null;
      this.#once = null;
    }
    const ends = Math.floor(this.#now() / 1_000) + sessionSeconds;
    return {
      session: sessionOf(holder),
      cookie: this.#signer.sign(`${holder.name}/${ends}/${printOf(holder)}/${randomBytes(9).toString('base64url')}`),
    };
  }

  /** Of this process: another supervisor behind the address takes a copy of the cookie until its end. */
  logOut(cookie: string): void {
    if (this.of(cookie) !== null) remember(this.#loggedOut, cookie);
  }

  /** Null without a valid cookie; where no token is configured everybody may look. */
  of(cookie: string | undefined): Session | null {
    if (!this.areAsked) return { name: 'everybody', access: 'read' };
    const { valid, value } = cookie === undefined ? { valid: false, value: null } : this.#signer.unsign(cookie);
    const [name, ends, print] = value?.split('/') ?? [];
    // `rota dev` has a token of its own beside a configured one of the same name.
    const holder = this.#access.tokens.find((token) => token.name === name && printOf(token) === print);
    if (!valid || holder === undefined || this.#loggedOut.has(cookie!)) return null;
    return Number(ends) * 1_000 > this.#now() ? sessionOf(holder) : null;
  }

  /** Over a text that only this page made, of this session, within the last quarter of an hour. No two are alike. */
  seal(session: Session, text: string): string {
    const nonce = randomBytes(9).toString('base64url');
    return this.#sealer.sign(`${Math.floor(this.#now() / 1_000)}/${nonce}/${sealed(session, text)}`);
  }

  isSealed(session: Session, text: string, seal: string): boolean {
    const { valid, value } = this.#sealer.unsign(seal);
    const [at, _nonce, digest] = value?.split('/') ?? [];
    return valid && digest === sealed(session, text) && this.#now() / 1_000 - Number(at) < sealSeconds;
  }

  /** As above, once: what was confirmed is not done again by a form that is sent again. */
  useSeal(session: Session, text: string, seal: string): boolean {
    if (!this.isSealed(session, text, seal) || this.#used.has(seal)) return false;
    remember(this.#used, seal);
    return true;
  }
}

const sealSeconds = 15 * 60;
/** More than all people confirm in a quarter of an hour, or log out of within a session's time; of some hundred bytes each. */
const mostRemembered = 10_000;

function remember(all: Set<string>, one: string): void {
  all.add(one);
  if (all.size > mostRemembered) all.delete(all.values().next().value!);
}

/** One for each purpose, so that what is signed for one is nothing to another. */
function keyFor(purpose: string, secret: string): string {
  return createHmac('sha256', secret).update(purpose).digest('base64url');
}

function sessionOf({ name, role }: ApiToken): Session {
  return { name, access: role === 'operate' ? 'operate' : 'read' };
}

/** Tells two tokens of one name apart, and tells nothing of the token. */
function printOf({ digest }: ApiToken): string {
  return createHash('sha256').update(digest).digest('hex').slice(0, 16);
}

function sealed({ name, access }: Session, text: string): string {
  return createHash('sha256')
    .update(JSON.stringify([name, access, text]))
    .digest('hex');
}
