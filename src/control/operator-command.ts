import { z } from 'zod';
import type { OperatorAnswers, OperatorCommandName } from '../protocol/operator.ts';

/** For the audit log: who the caller says it is (header `Rota-By`); null where it says nothing. */
export interface Caller {
  readonly by: string | null;
}

/** One command on `rota.ctl.<name>`: what it takes, and what it answers as plain data. */
export interface OperatorCommand {
  readonly name: OperatorCommandName;
  readonly body: z.ZodType;
  readonly run: (body: never, caller: Caller) => unknown;
}

export function command<K extends OperatorCommandName, T>(
  name: K,
  body: z.ZodType<T>,
  run: (body: T, caller: Caller) => Promise<OperatorAnswers[K]>,
): OperatorCommand {
  return { name, body, run };
}

/** Who did what, for the audit log. */
export type Audit = (command: string, by: string | null, fields: Readonly<Record<string, unknown>>) => void;

export const nothing = z.strictObject({}).nullish();
