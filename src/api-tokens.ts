import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { RotaError } from './errors.ts';

/** Each includes those before it. src/rest/access.ts has the role of each route. */
export const tokenRoles = ['read', 'work', 'operate'] as const;
export type TokenRole = (typeof tokenRoles)[number];

/** A token of REST, without its text: only its holder knows that. */
export interface ApiToken {
  readonly name: string;
  readonly role: TokenRole;
  /** SHA-256 of the token. */
  readonly digest: Buffer;
}

/** Each request compares with all tokens, in constant time each: 100 take 20 µs. */
const mostTokens = 100;
/** A header is up to 16 kB; a longer text is not hashed. */
const longestToken = 512;

/** SHA-256 without salt: for guessing, 256 random bits are enough. */
export function newToken(name: string, role: TokenRole): { readonly token: string; readonly line: string } {
  const token = `rota_${randomBytes(32).toString('base64url')}`;
  return { token, line: `${name} ${role} sha256:${digestOf(token).toString('hex')}` };
}

/** In constant time for all tokens, so that the time tells nothing of any. */
export function holderOf(tokens: readonly ApiToken[], given: string): ApiToken | null {
  if (given === '' || given.length > longestToken) return null;
  const digest = digestOf(given);
  let holder: ApiToken | null = null;
  for (const token of tokens) if (timingSafeEqual(token.digest, digest)) holder = token;
  return holder;
}

export interface TokenSettings {
  readonly SCHEDULER_API_TOKEN?: string | undefined;
  readonly SCHEDULER_API_TOKENS?: string | undefined;
  readonly SCHEDULER_API_TOKENS_FILE?: string | undefined;
}

/** @returns none where none is configured. @throws RotaError BAD_CONFIG that names the variable and the line, never a token */
export function readTokens(settings: TokenSettings): readonly ApiToken[] {
  const { SCHEDULER_API_TOKEN: one, SCHEDULER_API_TOKENS: listed, SCHEDULER_API_TOKENS_FILE: file } = settings;
  const tokens = [
    ...(one === undefined ? [] : [{ name: 'SCHEDULER_API_TOKEN', role: 'operate' as const, digest: digestOf(one) }]),
    ...(listed === undefined ? [] : linesOf(listed.replaceAll(',', '\n'), 'SCHEDULER_API_TOKENS')),
    ...(file === undefined ? [] : linesOf(readFile(file), `SCHEDULER_API_TOKENS_FILE=${file}`)),
  ];
  const twice = tokens.find(({ name }, at) => tokens.findIndex((other) => other.name === name) !== at);
  if (twice !== undefined)
    throw badConfig(`two tokens of the REST API are named ${twice.name}: the audit log tells them by name`);
  if (tokens.length > mostTokens)
    throw badConfig(`${tokens.length} tokens of the REST API: expected at most ${mostTokens}`);
  const configured = [one, listed, file].some((value) => value !== undefined);
  if (configured && tokens.length === 0)
    throw badConfig('SCHEDULER_API_TOKENS_FILE has no token in it: REST would be open');
  return tokens;
}

/** A header carries no others. */
export const tokenForm = /^(?=.{1,512}$)[!-~](?:[ -~]*[!-~])?$/;

/** Of a secret that signs. */
export const secretForm = /^(?=.{32,512}$)[!-~](?:[ -~]*[!-~])?$/;

const wellFormedName = /^[A-Za-z0-9._-]{1,64}$/;

export function isTokenName(text: string): boolean {
  return wellFormedName.test(text);
}

export function isRole(text: string): text is TokenRole {
  return (tokenRoles as readonly string[]).includes(text);
}

function linesOf(text: string, where: string): ApiToken[] {
  return text.split('\n').flatMap((line, at): ApiToken[] => {
    const words = line.split(/\s/).filter((word) => word !== '');
    if (words.length === 0 || words[0]!.startsWith('#')) return [];
    const [name = '', role = '', hash = ''] = words;
    if (words.length !== 3 || !isTokenName(name) || !isRole(role) || !/^sha256:[0-9a-f]{64}$/i.test(hash)) {
      // The line is not shown: it may be a token in clear.
      throw badConfig(
        `${where}, line ${at + 1}: expected a name, one of ${tokenRoles.join(', ')}, and sha256: with 64 hexadecimal digits ` +
          '(rota token new prints such a line)',
      );
    }
    return [{ name, role, digest: Buffer.from(hash.slice('sha256:'.length), 'hex') }];
  });
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw badConfig(`SCHEDULER_API_TOKENS_FILE=${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

const badConfig = (what: string) => new RotaError('BAD_CONFIG', what);
