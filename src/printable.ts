/**
 * Foreign text made fit for terminals, logs and errors: OOIs come from the hosts that are scanned. In a terminal a control
 * character clears the screen, sets the title or types for the operator; others end a line or reverse the text that follows.
 * Everything that writes to a terminal or a log goes through here: src/cli/terminal.ts and src/telemetry/log.ts.
 */

/** Control and format characters (of the tags those too that have no meaning yet), line and paragraph separators; not the joiners (U+200C, U+200D) that scripts are spelt with. */
const invisible = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u{e0000}-\u{e007f}]/gu;
/** A newline that is not ours would begin a row or a line of its own. */
const lineEnds = /\n/g;

/** The text with such characters escaped as in JSON (`\u001b`), so that JSON stays JSON of the same value. Newlines stay. */
export function printable(text: string): string {
  return text.replace(invisible, escaped);
}

/** As above, and on one line. */
export function oneLine(text: string): string {
  return printable(text).replace(lineEnds, String.raw`\n`);
}

function escaped(character: string): string {
  // By UTF-16 units: JSON has no other escape.
  return Array.from(
    { length: character.length },
    (_, at) => String.raw`\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');
}

/** Characters of a foreign text that errors and overviews show: a field's name, a host, the beginning of a fault. */
const mostShown = 200;

/** Shortens a foreign text for errors and overviews: one of 1 MB would not fit into the message that quotes it. */
export function excerpt(text: string, most = mostShown): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}

/** Each text of an answer, as above. */
export function excerptEach<T>(answer: T, most: number): T {
  const short = (value: unknown): unknown => {
    if (typeof value === 'string') return excerpt(value, most);
    if (Array.isArray(value)) return value.map(short);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, short(field)]));
  };
  return short(answer) as T;
}

/** An excerpt by its bytes. */
export function excerptInBytes(text: string, mostBytes: number): string {
  if (Buffer.byteLength(text) <= mostBytes) return text;
  const room = mostBytes - Buffer.byteLength('…');
  let shown = text.slice(0, room);
  while (Buffer.byteLength(shown) > room)
    shown = shown.slice(0, Math.floor((shown.length * room) / Buffer.byteLength(shown)));
  return `${shown.replace(/[\ud800-\udbff]$/, '')}…`;
}

/** As above, by the bytes of its JSON: there a control character has six. */
export function excerptInJson(text: string, mostBytes: number): string {
  if (text.length <= mostBytes && jsonBytes(text) <= mostBytes) return text;
  const room = mostBytes - Buffer.byteLength('…');
  let shown = text.slice(0, room).toWellFormed();
  for (let bytes = jsonBytes(shown); bytes > room; bytes = jsonBytes(shown)) {
    shown = shown.slice(0, Math.floor((shown.length * room) / bytes)).toWellFormed();
  }
  return `${shown}…`;
}

/** Without its quotes. */
function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
