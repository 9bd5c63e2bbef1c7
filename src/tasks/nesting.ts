/**
 * Lists and objects within each other in a text that is to be parsed as JSON. KAT's tasks have some ten; at several thousand
 * whoever walks through the value (us, the driver, Postgres) runs out of stack, and a whole batch with it. FastAPI stops
 * near a thousand.
 */
export const deepestNesting = 500;

/** Whether the text, JSON or not, nests deeper than that. */
export function nestsTooDeep(text: string, deepest = deepestNesting): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === backslash) at += 1;
      else if (code === quote) inString = false;
    } else if (code === quote) inString = true;
    else if (code === openList || code === openObject) {
      depth += 1;
      if (depth > deepest) return true;
    } else if (code === closeList || code === closeObject) depth -= 1;
  }
  return false;
}

const [quote, backslash] = [0x22, 0x5c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
