/**
 * Reads a UUID as mula's pydantic does: with or without dashes, any case, `urn:uuid:` or braces around it.
 *
 * @returns the canonical form (lower case, dashes), or null where it is none.
 */
export function parseUuid(text: string): string | null {
  if (canonical.test(text)) return text;
  const bare = text.replace(/^urn:uuid:/i, '').replace(/^\{(.*)\}$/, '$1');
  const match =
    /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(bare) ??
    /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i.exec(bare);
  return match === null ? null : match.slice(1).join('-').toLowerCase();
}

/** As nearly every one comes. */
const canonical = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * A UUID of version 7: later ones sort after earlier ones, so that the primary keys of tasks and schedules grow at their
 * right edge and not all over (one random page less per row and index to write into the log after each checkpoint). By this
 * machine's clock, however wrong: nothing is decided by the order of ids.
 */
export function timeOrderedUuid(now = Date.now()): string {
  const time = now.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`;
}
