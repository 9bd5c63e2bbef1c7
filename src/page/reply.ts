import type { FastifyReply, FastifyRequest } from 'fastify';
import { codeOf, errorCodes } from '../errors.ts';
import { excerpt, oneLine } from '../printable.ts';
import type { Html } from './html.ts';

const htmlType = 'text/html; charset=utf-8';

export function send(reply: FastifyReply, content: Html | readonly Html[]): FastifyReply {
  return reply.type(htmlType).send(Array.isArray(content) ? content.join('\n') : String(content));
}

/** A parameter that comes twice counts once, as its last value. */
export function single(query: Readonly<Record<string, string | string[]>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, Array.isArray(value) ? (value.at(-1) ?? '') : value]),
  );
}

/** The fields of a form; one that comes several times (ticked rows) has all of its values. */
export type Form = Readonly<Record<string, string | readonly string[]>>;

export function formOf({ body }: FastifyRequest): Form {
  return typeof body === 'object' && body !== null ? { ...(body as Form) } : {};
}

export function field(form: Form, name: string): string {
  const value = form[name];
  return (typeof value === 'string' ? value : value?.at(-1)) ?? '';
}

export function fieldsOf(form: Form, name: string): readonly string[] {
  const value = form[name] ?? [];
  return typeof value === 'string' ? [value] : value;
}

/** Of an address that is kept: in a form, in a header, or looked at again. */
export const longestAddress = 4_096;
/** To browsers a backslash is a slash, and two of them begin another host. */
const ourPath = /^\/(?![/\\])[!-~]*$/;

export function isOurPath(text: string): boolean {
  return text.length <= longestAddress && ourPath.test(text);
}

/** The page that a form stands on, a path of ours; `/` where it does not say. */
export function backOf(form: Form): string {
  const back = field(form, 'back');
  return isOurPath(back) ? back : '/';
}

/** Fastify's own refusals have a status and quote the whole address. */
export function answerTo(error: unknown): { readonly status: number; readonly sentence: string } {
  const { statusCode, message } = error as { readonly statusCode?: number; readonly message: string };
  const code = codeOf(error);
  if (code !== 'BROKEN') return { status: errorCodes[code].status, sentence: excerpt(message, 1_000) };
  if (statusCode !== undefined && statusCode < 500) return { status: statusCode, sentence: excerpt(oneLine(message)) };
  return { status: 500, sentence: 'a fault in the page itself: the supervisor’s log has it' };
}
