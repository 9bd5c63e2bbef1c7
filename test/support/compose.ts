import { Document, isMap, isNode, isScalar, isSeq, type Node, parseDocument } from 'yaml';

/**
 * Compose files put together as Docker Compose does it, for what the guide uses: mappings are merged, lists appended, the rest
 * replaced; `!override` replaces a mapping as a whole, `!reset` removes what the key holds. Compared once with Compose's own
 * loader (compose-go 2.16).
 */
export function compose<T>(base: string, override: string): T {
  return merged(documentOf(base).contents, documentOf(override).contents) as T;
}

function documentOf(text: string): Document.Parsed {
  // The tags are Compose's own: kept on the nodes, and no warning.
  const document = parseDocument(text, {
    customTags: ['!override', '!reset'].flatMap((tag) => [
      { tag, collection: 'map' as const },
      { tag, collection: 'seq' as const },
    ]),
  });
  if (document.errors.length + document.warnings.length > 0)
    throw new Error(String(document.errors[0] ?? document.warnings[0]));
  return document;
}

function merged(base: unknown, over: unknown): unknown {
  if (isNode(over) && over.tag === '!reset') return undefined;
  if (isNode(over) && over.tag === '!override') return plain(over);
  if (isMap(base) && isMap(over)) {
    const keys = [...new Set([...base.items, ...over.items].map(({ key }) => nameOf(key)))];
    const entries = keys.map((key) => {
      const [below, above] = [base.get(key, true), over.get(key, true)];
      return [
        key,
        above === undefined ? plain(below) : below === undefined ? merged(null, above) : merged(below, above),
      ];
    });
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }
  if (isSeq(base) && isSeq(over)) return [...(plain(base) as unknown[]), ...(plain(over) as unknown[])];
  return plain(over);
}

function nameOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

function plain(node: unknown): unknown {
  return isNode(node) ? (node as Node).toJS(new Document()) : node;
}
