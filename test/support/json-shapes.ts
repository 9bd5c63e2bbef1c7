import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');

/** What docs/operations.md says that each command prints with `--json`: the keys of the outermost object, sorted. */
export const documentedKeys: ReadonlyMap<string, readonly string[]> = new Map(
  [...page.matchAll(/^\| `rota ([a-z -]+)` +\| `\{([^`]*)\}` +\|/gm)].map(([, name, shape]) => [
    name!,
    outermost(shape!).split(', ').toSorted(),
  ]),
);

/** Without the content of the objects and lists in an object's text, from the inside out. */
function outermost(shape: string): string {
  const without = shape.replaceAll(/: *(\[[^[\]]*\]|\{[^{}]*\})/g, '');
  return without === shape ? shape : outermost(without);
}
