/**
 * Ours, not a charting library's: Observable Plot needs a DOM, Vega-Lite names no line at its end, and neither follows the
 * reader's dark mode in one file, nor draws the same bytes after an upgrade, which the tests compare.
 */

/** Colours by the reader's scheme, each pair distinct without red and green (after Okabe and Ito). Rota's is the first. */
const light = ['#0063a6', '#2f8fd0', '#c2560c', '#e0932f', '#00785c', '#4fa98d', '#8a5aa8', '#6b7280'];
const dark = ['#58a6ff', '#9ecbff', '#f0883e', '#f2b872', '#3fb98f', '#8ed6bd', '#c79be0', '#9aa4b2'];

const font = 'font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif';
const scheme = (colours: readonly string[], paper: string, ink: string, faint: string, line: string) =>
  [
    `.paper{fill:${paper};stroke:${line}}.grid{stroke:${line}}.axis{stroke:${faint}}text{fill:${ink}}.faint{fill:${faint}}`,
    ...colours.map((colour, at) => `.line${at}{stroke:${colour}}.fill${at}{fill:${colour}}`),
  ].join('');

const style = [
  `text{${font};font-size:12px}.title{font-size:15px;font-weight:600}.number{font-variant-numeric:tabular-nums}`,
  '.grid,.axis{stroke-width:1}.curve{fill:none;stroke-width:2.25;stroke-linejoin:round}.dashed{stroke-dasharray:5 4}',
  scheme(light, '#ffffff', '#1f2328', '#59636e', '#e4e8ec'),
  // The drawing has a ground of its own: a page may be dark where the reader's system is light.
  `@media (prefers-color-scheme:dark){${scheme(dark, '#0d1117', '#e6edf3', '#9198a1', '#262c34')}}`,
].join('');

export const colourCount = light.length;

type Attributes = Readonly<Record<string, string | number>>;

/** Escapes what it is given; `content` is text or elements made here. */
export function element(name: string, attributes: Attributes, ...content: readonly (string | Element)[]): Element {
  const inside = content.map((part) => (typeof part === 'string' ? escaped(part) : part.svg)).join('');
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(numeral(value))}"`);
  return { svg: inside === '' ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${inside}</${name}>` };
}

export interface Element {
  readonly svg: string;
}

/** @param description what the drawing shows, for readers who cannot see it. */
export function drawing(
  size: { readonly width: number; readonly height: number },
  { title, description }: { readonly title: string; readonly description: string },
  elements: readonly Element[],
): string {
  const { width, height } = size;
  const frame = { x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 8, class: 'paper' };
  const root = { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' };
  const parts = [
    element('title', {}, title),
    element('desc', {}, description),
    { svg: `<style>${style}</style>` },
    element('rect', frame),
    element('text', { x: 24, y: 32, class: 'title' }, title),
    ...elements,
  ];
  const lines = parts.map(({ svg }) => svg).join('\n');
  return `${element('svg', root, { svg: `\n${lines}\n` }).svg}\n`;
}

/** Tenths of a pixel: not visible, and the same on every machine. */
function numeral(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : value;
}

/** What XML has no place for, escaped or not. */
const notXml = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

function escaped(text: string): string {
  const xml = text.replaceAll(notXml, '\ufffd');
  return xml.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
