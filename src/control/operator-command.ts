import { z } from 'zod';

/** For the audit log: who the caller says it is (header `Rota-By`); null where it says nothing. */
export interface Caller {
  readonly by: string | null;
}

/** One command on `rota.ctl.<name>`: what it takes, and what it answers as plain data. */
export interface OperatorCommand {
  readonly name: string;
  readonly body: z.ZodType;
  readonly run: (body: never, caller: Caller) => unknown;
}

export function command<T>(
  name: string,
  body: z.ZodType<T>,
  run: (body: T, caller: Caller) => unknown,
): OperatorCommand {
  return { name, body, run };
}

/** Who did what, for the audit log. */
export type Audit = (command: string, by: string | null, fields: Readonly<Record<string, unknown>>) => void;

export const nothing = z.strictObject({}).nullish();
