import type * as fc from 'fast-check';
import { answerWithinMs } from '../../src/admission.ts';

/** What became of one input. */
export interface Outcome {
  /** `unawaited`: nothing was to be answered, as where a message names no inbox. */
  readonly outcome: 'answered' | 'refused' | 'unawaited';
  readonly ms: number;
  /** What it must not have been; absent where all is well. The same words for the same fault, numbers aside. */
  readonly fault?: string;
}

/** Something of Rota that takes foreign input. */
export interface Edge<T = unknown> {
  readonly name: EdgeName;
  readonly inputs: fc.Arbitrary<T>;
  /** Rejects for nothing but a fault of the fuzzer's own. */
  send(input: T): Promise<Outcome>;
  /** One line for people. */
  show(input: T): string;
  /** What shows only after the last input: queues that do not run empty, and the like. */
  atEnd?(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export const edgeNames = ['nats', 'ctl', 'rest', 'amqp', 'jetstream'] as const;
export type EdgeName = (typeof edgeNames)[number];

/** A refusal needs no more: codes, the field, and what was expected of it. */
const largestRefusalBytes = 8_192;
/** With what a busy machine adds. */
export const latestAnswerMs = answerWithinMs + 2_000;

/** Of a whole answer, whatever carried it. */
export function judged(answer: { status: number; text: string; bytes: number; ms: number; detail: string }): Outcome {
  const { status, text, bytes, ms, detail } = answer;
  const outcome = status >= 400 ? 'refused' : 'answered';
  return { outcome, ms, ...faultIn(status, text, bytes, detail) };
}

function faultIn(status: number, text: string, bytes: number, detail: string): { fault?: string } {
  if (/internal (?:server )?error/i.test(text.slice(0, 2_000))) return { fault: `answered ${status}: internal error` };
  if (status >= 500 && status !== 503) return { fault: `answered ${status}: ${detail.slice(0, 80)}` };
  if (status === 503 && detail === '') return { fault: 'answered 503 without a reason' };
  if (status >= 400 && bytes > largestRefusalBytes) return { fault: `a refusal (${status}) of ${sizeOf(bytes)}` };
  return {};
}

/** Rough, so that faults of one kind read the same. */
function sizeOf(bytes: number): string {
  return bytes > 1_000_000 ? 'more than 1 MB' : bytes > 100_000 ? 'more than 100 kB' : 'more than 8 kB';
}

/** @param text shortened: runs of the same, and whatever is longer than a line or two. */
export function shortened(text: string, most = 400): string {
  const runs = text.replaceAll(
    /(.{1,24}?)\1{15,}/gs,
    (whole, unit: string) => `«${unit} × ${whole.length / unit.length}»`,
  );
  const shown = JSON.stringify(runs).slice(1, -1).replaceAll('\\"', '"');
  return shown.length <= most ? shown : `${shown.slice(0, most)}… (${shown.length} characters)`;
}
