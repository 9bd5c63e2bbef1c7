/**
 * Lists and objects within each other in a text that is to be parsed as JSON. KAT's tasks have some ten; at several thousand
 * whoever walks through the value (us, the driver, Postgres) runs out of stack, and a whole batch with it. FastAPI stops
 * near a thousand.
 */
export const deepestNesting = 500;
/** Values of one text: a set of 1 000 tasks has 30 000. 2 MB of `{}` are 660 000, which take 110 ms and 60 MB to parse. */
export const mostValues = 100_000;

/** What is too much about a text, JSON or not, before it is parsed; null where nothing is. */
export function jsonExcess(text: string, deepest = deepestNesting): 'depth' | 'values' | null {
  let depth = 0;
  let values = 1;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === backslash) at += 1;
      else if (code === quote) inString = false;
    } else if (code === quote) inString = true;
    else if (code === comma) {
      values += 1;
      if (values > mostValues) return 'values';
    } else if (code === openList || code === openObject) {
      depth += 1;
      values += 1;
      if (depth > deepest) return 'depth';
    } else if (code === closeList || code === closeObject) depth -= 1;
  }
  return null;
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
