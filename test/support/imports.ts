import { readdir, readFile } from 'node:fs/promises';
import { posix } from 'node:path';

/** A file of the house: its path from the root, and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly from: string;
  /** Path from the root for our own files; as written for packages and `node:` modules. */
  readonly target: string;
  /** Erased at run time: `import type`, `export type`. */
  readonly typeOnly: boolean;
}

const comments = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const clause = String.raw`(?:[\w$]+\s*,?\s*)?(?:\{[^}]*\}|\*\s+as\s+[\w$]+)?`;
const statements = [
  new RegExp(String.raw`^\s*import\s+(?<type>type\s+)?(?:${clause}\s*from\s+)?['"](?<target>[^'"]+)['"]`, 'gm'),
  /^\s*export\s+(?<type>type\s+)?(?:\*(?:\s+as\s+[\w$]+)?|\{[^}]*\})\s*from\s+['"](?<target>[^'"]+)['"]/gm,
  /\bimport\(\s*['"](?<target>[^'"]+)['"]\s*\)/g,
];

/** What a file imports: statically, by re-export, and dynamically where the target is a literal. */
export function importsOf({ path, text }: Source): readonly Import[] {
  const code = text.replaceAll(comments, '');
  return statements
    .flatMap((statement) => [...code.matchAll(statement)])
    .map(({ groups }) => ({ from: path, target: resolve(path, groups!['target']!), typeOnly: !!groups!['type'] }));
}

function resolve(from: string, target: string): string {
  return target.startsWith('.') ? posix.join(posix.dirname(from), target) : target;
}

/** Every file below these folders of the root. */
export async function readSources(root: URL, folders: readonly string[]): Promise<readonly Source[]> {
  const paths = await Promise.all(folders.map((folder) => filesBelow(root, folder)));
  return Promise.all(paths.flat().map(async (path) => ({ path, text: await readFile(new URL(path, root), 'utf8') })));
}

async function filesBelow(root: URL, folder: string): Promise<readonly string[]> {
  const entries = await readdir(new URL(`${folder}/`, root), { recursive: true, withFileTypes: true }).catch(() => []);
  const base = new URL(root).pathname;
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => posix.join(decodeURI(posix.relative(base, entry.parentPath)), entry.name))
    .toSorted();
}
