import { z } from 'zod';
import { RotaError } from '../errors.ts';
import { excerpt } from '../printable.ts';
import { check } from './requests.ts';

/**
 * Operators' commands, answered on `<prefix>.ctl.<command>` by any supervisor, and on `<prefix>.ctl.<instance>.<command>`
 * by that one. A NATS user that may publish there is an operator: docs/security.md.
 */
export interface CtlCommands {
  /** Takes effect at once; a second handler of one name is a bug. `run` returns plain data. */
  register<T>(command: string, body: z.ZodType<T>, run: (body: T, caller: CtlCaller) => unknown): void;
  /** @throws RotaError NOT_FOUND that lists the commands */
  run(command: string, body: unknown, caller: CtlCaller): Promise<unknown>;
}

/** For the audit log. */
interface CtlCaller {
  /** The name it claims (header `Rota-By`): NATS shows a service only that the caller was allowed to publish. */
  readonly by: string | null;
}

export function createCtlCommands(): CtlCommands {
  const commands = new Map<string, (body: unknown, caller: CtlCaller) => unknown>();
  return {
    register(command, body, run) {
      if (!/^[a-z][a-z0-9-]*$/.test(command)) throw new RotaError('BROKEN', `ctl command name: ${command}`);
      if (commands.has(command)) throw new RotaError('BROKEN', `ctl command ${command} is registered twice`);
      commands.set(command, (value, caller) => run(check(body, value), caller));
    },
    async run(command, body, caller) {
      const run = commands.get(command);
      if (run === undefined) {
        const known = [...commands.keys()].sort().join(', ');
        throw new RotaError('NOT_FOUND', `no command ${excerpt(command)}; there are: ${known}`);
      }
      return run(body, caller);
    },
  };
}
