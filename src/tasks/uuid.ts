/**
 * Reads a UUID as mula's pydantic does: with or without dashes, any case, `urn:uuid:` or braces around it.
 *
 * @returns the canonical form (lower case, dashes), or null where it is none.
 */
export function parseUuid(text: string): string | null {
  const bare = text.replace(/^urn:uuid:/i, '').replace(/^\{(.*)\}$/, '$1');
  const match =
    /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(bare) ??
    /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i.exec(bare);
  return match === null ? null : match.slice(1).join('-').toLowerCase();
}
