/**
 * Where and why a text is not JSON, as Python's decoder says it: FastAPI puts the position into `loc`. Only called for
 * a text that JSON.parse refused; positions count characters, not UTF-16 units.
 */
export function jsonFault(text: string): { position: number; error: string } {
  const scanner = new Scanner(text);
  const found = scanner.scan();
  return { position: charactersBefore(text, found.at), error: found.message };
}

/** Counted, not split: a list of the characters of 2 MB is 16 MB and more. */
function charactersBefore(text: string, end: number): number {
  let count = 0;
  for (let at = 0; at < end; at += text.codePointAt(at)! > 0xff_ff ? 2 : 1) count += 1;
  return count;
}

class Found extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const word = /null|true|false|NaN|-?Infinity/y;
const blank = /[ \t\n\r]*/y;
/** Up to the next quote, backslash or control character. */
// oxlint-disable-next-line no-control-regex
const plain = /[^"\\\u0000-\u001f]*/y;

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): Found {
    try {
      this.space();
      this.value();
      this.space();
    } catch (found) {
      if (found instanceof Found) return found;
      throw found;
    }
    return new Found('Extra data', this.#at);
  }

  fail(message: string, at = this.#at): never {
    throw new Found(message, at);
  }

  space(): void {
    this.#take(blank);
  }

  value(): void {
    const first = this.#text[this.#at];
    if (first === '{') this.#object();
    else if (first === '[') this.#array();
    else if (first === '"') this.#string();
    else if (!this.#take(word) && !this.#take(number)) this.fail('Expecting value');
  }

  #object(): void {
    this.#at += 1;
    this.space();
    if (this.#skip('}')) return;
    for (;;) {
      if (this.#text[this.#at] !== '"') this.fail('Expecting property name enclosed in double quotes');
      this.#string();
      this.space();
      if (!this.#skip(':')) this.fail("Expecting ':' delimiter");
      this.space();
      this.value();
      this.space();
      if (this.#skip('}')) return;
      const comma = this.#at;
      if (!this.#skip(',')) this.fail("Expecting ',' delimiter");
      this.space();
      if (this.#text[this.#at] === '}') this.fail('Illegal trailing comma before end of object', comma);
    }
  }

  #array(): void {
    this.#at += 1;
    this.space();
    if (this.#skip(']')) return;
    for (;;) {
      this.value();
      this.space();
      if (this.#skip(']')) return;
      const comma = this.#at;
      if (!this.#skip(',')) this.fail("Expecting ',' delimiter");
      this.space();
      if (this.#text[this.#at] === ']') this.fail('Illegal trailing comma before end of array', comma);
    }
  }

  #string(): void {
    const start = this.#at;
    this.#at += 1;
    for (;;) {
      this.#take(plain);
      if (this.#skip('"')) return;
      if (this.#at >= this.#text.length) this.fail('Unterminated string starting at', start);
      if (!this.#skip('\\')) this.fail('Invalid control character at');
      const escape = this.#text[this.#at];
      if (escape === undefined) this.fail('Unterminated string starting at', start);
      if (escape === 'u') {
        if (!/^[0-9a-fA-F]{4}$/.test(this.#text.slice(this.#at + 1, this.#at + 5))) {
          this.fail('Invalid \\uXXXX escape', this.#at);
        }
        this.#at += 5;
      } else if ('"\\/bfnrt'.includes(escape)) this.#at += 1;
      else this.fail('Invalid \\escape', this.#at - 1);
    }
  }

  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return false;
    this.#at += match[0].length;
    return true;
  }
}
