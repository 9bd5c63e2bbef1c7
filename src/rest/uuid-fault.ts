/**
 * What is wrong with a UUID, in the words of the parser behind pydantic: clients show `ctx.error`. Accepted are the
 * simple form (32 digits), the hyphenated one, and both behind `urn:uuid:` or within braces.
 *
 * @returns null where nothing is wrong.
 */
export function uuidFault(value: string): string | null {
  const [digits, offset, bare] = unwrap(value);
  const hyphens: number[] = [];
  for (let at = 0; at < digits.length; at += 1) {
    const character = digits[at]!;
    if (character === '-') hyphens.push(at);
    else if (!/[0-9a-fA-F]/.test(character)) {
      const found = String.fromCodePoint(digits.codePointAt(at)!);
      return (
        'invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], ' +
        `found \`${found}\` at ${at + offset + 1}`
      );
    }
  }
  if (hyphens.length === 0) {
    if (digits.length === 32) return null;
    if (bare) return `invalid length: expected length 32 for simple format, found ${value.length}`;
  }
  if (hyphens.length !== 4) return `invalid group count: expected 5, found ${hyphens.length + 1}`;
  const starts = [0, ...hyphens.map((at) => at + 1)];
  const ends = [...hyphens, digits.length];
  const wrong = groups.findIndex((length, group) => ends[group]! - starts[group]! !== length);
  if (wrong === -1) return null;
  return `invalid group length in group ${wrong}: expected ${groups[wrong]}, found ${ends[wrong]! - starts[wrong]!}`;
}

const groups = [8, 4, 4, 4, 12];

function unwrap(value: string): [digits: string, offset: number, bare: boolean] {
  if (value.startsWith('{') && value.endsWith('}')) return [value.slice(1, -1), 1, false];
  if (value.startsWith('urn:uuid:')) return [value.slice(9), 9, false];
  return [value, 0, true];
}
