import { crc32, deflateSync, inflateSync } from 'node:zlib';

/** A picture, three bytes a pixel: red, green, blue. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** Reads what Chromium writes: 8 bits a channel, no alpha, not interlaced (PNG 3, §7 and §9). */
export function pixelsOf(png: Buffer): Pixels {
  const data: Buffer[] = [];
  for (let at = signature.length; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) !== 'IDAT') continue;
    data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const [width, height, format] = [png.readUInt32BE(16), png.readUInt32BE(20), png.toString('hex', 24, 29)];
  if (format !== '0802000000') throw new Error(`PNG: expected 8 bits a channel without alpha, got ${format}`);
  const filtered = inflateSync(Buffer.concat(data), { maxOutputLength: 100_000_000 });
  const line = width * 3;
  const rgb = new Uint8Array(line * height);
  for (let y = 0; y < height; y += 1) {
    const filter = filtered[y * (line + 1)]!;
    for (let x = 0; x < line; x += 1) {
      const at = y * line + x;
      const left = x < 3 ? 0 : rgb[at - 3]!;
      const up = y === 0 ? 0 : rgb[at - line]!;
      const corner = x < 3 || y === 0 ? 0 : rgb[at - line - 3]!;
      rgb[at] = filtered[y * (line + 1) + 1 + x]! + predicted(filter, left, up, corner);
    }
  }
  return { width, height, rgb };
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [byLeft, byUp, byCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (byLeft <= byUp && byLeft <= byCorner) return left;
  return byUp <= byCorner ? up : corner;
}

/** A PNG of at most 256 colours: a third of the bytes of a screenshot of text. */
export function palettedPng({ width, height, rgb }: Pixels): Buffer {
  const counts = new Map<number, number>();
  const colourAt = (pixel: number) => (rgb[pixel * 3]! << 16) | (rgb[pixel * 3 + 1]! << 8) | rgb[pixel * 3 + 2]!;
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const colour = colourAt(pixel);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const byCount = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
  const { palette, indexOf } = paletteOf(byCount);
  const lines = Buffer.alloc((width + 1) * height);
  for (let pixel = 0; pixel < width * height; pixel += 1)
    lines[pixel + Math.floor(pixel / width) + 1] = indexOf.get(colourAt(pixel))!;
  const header = Buffer.from('00000000000000000803000000', 'hex');
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 0xff, colour & 0xff]));
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(lines, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Colours that are alike become the most frequent of them, so that surfaces keep theirs. */
function paletteOf(byCount: readonly number[]) {
  for (let bits = 0; ; bits += 1) {
    const mask = ((0xff << bits) & 0xff) * 0x010101;
    const places = new Map<number, number>();
    const palette: number[] = [];
    const indexOf = new Map<number, number>();
    for (const colour of byCount) {
      const place = places.get(colour & mask) ?? palette.push(colour) - 1;
      places.set(colour & mask, place);
      indexOf.set(colour, place);
    }
    if (palette.length <= 256) return { palette, indexOf };
  }
}

function chunk(name: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(data.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}
