import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { RotaError } from '../errors.ts';

/** What stands in a file, or on stdin where that is `-`. */
export async function readInput(file: string): Promise<string> {
  if (file === '-') return text(process.stdin);
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new RotaError('NOT_FOUND', `${file} cannot be read (${error.code})`);
  });
}

/** Undefined where it is no JSON. */
export function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}
