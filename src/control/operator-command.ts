import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { excerpt, oneLine } from '../printable.ts';
import type { OperatorAnswers, OperatorCommandName } from '../protocol/operator.ts';
import { check } from '../tasks/limits.ts';

/** `read` sees everything and changes nothing; `operate` includes it. */
export type Access = 'read' | 'operate';

export interface Caller {
  /** For the audit: the name of a token, or over NATS the name that the caller claims (header `Rota-By`). */
  readonly by: string | null;
  /** NATS shows a service no user: each user that may publish on `<prefix>.ctl.*` operates (docs/security.md). */
  readonly access: Access;
}

export interface OperatorCommand<B extends z.ZodType = z.ZodType, A = unknown> {
  readonly access: Access;
  readonly body: B;
  run(body: z.output<B>, caller: Caller): Promise<A>;
}

export function command<B extends z.ZodType, A>(
  access: Access,
  body: B,
  run: (body: z.output<B>, caller: Caller) => Promise<A>,
): OperatorCommand<B, A> {
  return { access, body, run };
}

/** Every command, with its answer as the protocol has it. */
export type Commands = { readonly [K in OperatorCommandName]: OperatorCommand<z.ZodType, OperatorAnswers[K]> };
export type SomeCommands = Partial<Commands>;

/** Writes who did what to what; `refused` is the code of the error where it was not done. */
export type CommandAudit = (
  command: string,
  by: string | null,
  fields: Readonly<Record<string, unknown>>,
  refused?: string,
) => void;

const namedInAudit = 20;

/** For the audit: the first 20 of `ids`, beside their number: an entry stays small. An organisation only where it is the one of all. */
export function auditIds(
  ids: readonly string[],
  organisations: Iterable<string | undefined> = [],
): { readonly ids: readonly string[]; readonly organisation?: string } {
  const [organisation, another] = new Set(organisations);
  const named = organisation === undefined || another !== undefined ? {} : { organisation };
  return { ...named, ids: ids.slice(0, namedInAudit) };
}

/**
 * Of an answer that may be remembered: how old it may be. A caller who may only read gets no fresher one than of a second
 * (`commandRunner`): readers are many, and repeat themselves.
 */
export const maxAge = { max_age_seconds: z.number().min(0).max(60).default(0) };
const freshestForReaders = 1;

/** The body of a command that has nothing else to ask for. */
export const aged = z
  .strictObject(maxAge)
  .nullish()
  .transform((body) => ({ max_age_seconds: body?.max_age_seconds ?? 0 }));

/** The body of a command without one. */
export const nothing = z.strictObject({}).nullish();

/**
 * The one way to the commands, from NATS, HTTP and the page: checks that there is the command, the caller's access and the body, in
 * this order.
 *
 * @throws RotaError NOT_FOUND that lists the commands, FORBIDDEN, INVALID_REQUEST that names the fields
 */
export type RunCommand = (name: string, body: unknown, caller: Caller) => Promise<unknown>;

export function commandRunner(commands: Readonly<Record<string, OperatorCommand>>, audit: CommandAudit): RunCommand {
  const refusals = new Refusals();
  return async (name, body, caller) => {
    const found = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (found === undefined) {
      const known = Object.keys(commands).sort().join(', ');
      throw new RotaError('NOT_FOUND', `no command ${excerpt(oneLine(name))}; there are: ${known}`);
    }
    if (found.access === 'operate' && caller.access !== 'operate') {
      const tries = refusals.count(`${caller.by ?? ''} ${name}`);
      if (tries > 0) audit(name, caller.by, { tries }, 'FORBIDDEN');
      throw new RotaError('FORBIDDEN', `${name} changes something: it needs the role operate`);
    }
    return found.run(forCaller(check(found.body, body), caller), caller);
  };
}

function forCaller(body: unknown, { access }: Caller): unknown {
  if (access === 'operate' || typeof body !== 'object' || body === null || !('max_age_seconds' in body)) return body;
  return { ...body, max_age_seconds: Math.max(freshestForReaders, Number(body.max_age_seconds)) };
}

const refusalEveryMs = 60_000;
const mostRefusals = 1_000;

/** Tries that were refused: one entry a minute for each caller and command, so that a caller that repeats one drowns no other entry. */
class Refusals {
  readonly #seen = new Map<string, { readonly at: number; tries: number }>();

  /** How many tries an entry is about; 0 where there is one of less than a minute ago. */
  count(key: string): number {
    const seen = this.#seen.get(key);
    const tries = (seen?.tries ?? 0) + 1;
    if (seen !== undefined && performance.now() - seen.at < refusalEveryMs) {
      seen.tries = tries;
      return 0;
    }
    this.#seen.delete(key);
    this.#seen.set(key, { at: performance.now(), tries: 0 });
    if (this.#seen.size > mostRefusals) this.#seen.delete(this.#seen.keys().next().value!);
    return tries;
  }
}
