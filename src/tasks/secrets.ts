/** What a runner puts into a task before it runs it, and Bytes hands on in `boefje_meta`: API keys. kat-contract §2. */
const secretsOfParts: ReadonlySet<string> = new Set(['runnable_hash', 'settings']);
/** Where those are: in the data itself and in these, one in the other. Elsewhere, `settings` are an OOI's: a Config has some. */
const parts: ReadonlySet<string> = new Set(['raw_data', 'boefje_meta', 'boefje']);

/**
 * Data as it was given, but for secrets: `environment` at any depth, the others where they belong to a run. The queue calls
 * it, or `storedJson`, on all data that is stored, so that no edge can forget it.
 */
export function withoutSecrets(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return kept(data, true) as Record<string, unknown>;
}

/** The same as JSON text. Most data has no secret: its text says so at once, where a walk took 18 µs, 3 % of a whole life. */
export function storedJson(data: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(data);
  return mayHoldSecret.test(text) ? JSON.stringify(withoutSecrets(data)) : text;
}

/**
 * A text that may quote a task, such as the error of a runner, without those secrets: data that is whole loses them, of any other
 * text all that follows the first one's name goes.
 */
export function textWithoutSecrets(text: string): string {
  const at = text.search(namesSecret);
  if (at === -1) return text;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return JSON.stringify(kept(parsed, true));
  } catch {}
  return `${text.slice(0, at)}…`;
}

/** As JSON or Python write it, within a string too: there the quotes have backslashes, of which those before the first are let be. */
const namesSecret = /["'](?:environment|runnable_hash|settings)\\*["']\s*:/;
const mayHoldSecret = /"(?:environment|runnable_hash|settings)":/;

const isSecret = (key: string, isPart: boolean) => key === 'environment' || (isPart && secretsOfParts.has(key));

function kept(value: unknown, isPart: boolean): unknown {
  if (typeof value !== 'object' || value === null) return value;
  let changed = false;
  const members: [string, unknown][] = [];
  for (const [key, member] of Object.entries(value)) {
    if (isSecret(key, isPart)) {
      changed = true;
      continue;
    }
    const left = kept(member, isPart && parts.has(key));
    if (left !== member) changed = true;
    members.push([key, left]);
  }
  if (!changed) return value;
  return Array.isArray(value) ? members.map(([, member]) => member) : Object.fromEntries(members);
}
