import { z } from 'zod';
import type { OperatorAnswers, OperatorCommandName } from '../protocol/operator.ts';

/** One command on `<prefix>.ctl.<name>`. */
export interface OperatorCommand {
  readonly name: OperatorCommandName;
  readonly body: z.ZodType;
  readonly run: (body: never, caller: Caller) => unknown;
}

/** `by`: the caller's name as it gives it (header `Rota-By`), for the audit log. */
interface Caller {
  readonly by: string | null;
}

export function command<K extends OperatorCommandName, T>(
  name: K,
  body: z.ZodType<T>,
  run: (body: T, caller: Caller) => Promise<OperatorAnswers[K]>,
): OperatorCommand {
  return { name, body, run };
}

/** Writes who did what. */
export type CommandAudit = (command: string, by: string | null, fields: Readonly<Record<string, unknown>>) => void;

/** The body of a command without one. */
export const nothing = z.strictObject({}).nullish();
