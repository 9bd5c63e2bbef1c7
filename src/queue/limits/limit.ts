import { isIP } from 'node:net';
import { murmur128 } from '../../tasks/murmur3.ts';

/** Which tasks a limit or a window is for; null is any. */
export interface LimitMatch {
  readonly scheduler: string | null;
  readonly organisation: string | null;
  /** Or normalizer, or report recipe; several by commas. */
  readonly plugin: string | null;
  readonly image: string | null;
  readonly ooiType: string | null;
}

/** What may be known of a queued task. */
export interface LimitedTask {
  readonly scheduler: string;
  readonly organisation: string;
  readonly plugin: string | null;
  readonly image: string | null;
  /** The reference of its OOI, as `Hostname|internet|example.com`. */
  readonly ooi: string | null;
  /** A person pushed it. */
  readonly manual: boolean;
}

export interface KeyedLimit extends LimitMatch {
  readonly name: string;
  /** Tasks with the same value share the limit; '' of windows. */
  readonly template: string;
  readonly exemptManual: boolean;
}

export const limitName = /^[A-Za-z0-9_.-]{1,64}$/;

const placeholder = /\{([^{}]*)\}/g;
/** The value of a placeholder; null where the task has none. */
type Read = (task: LimitedTask, reference: Reference) => string | null;
const placeholders: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['scheduler', ({ scheduler }) => scheduler],
  ['organisation', ({ organisation }) => organisation],
  ['boefje', ({ plugin }) => plugin],
  ['image', ({ image }) => image],
  ['ooi', ({ ooi }) => ooi],
  ['ooi_type', ({ ooi }, { type }) => (ooi === null ? null : type)],
  ['host', (_task, { host, address }) => host ?? address],
  ['ip', (_task, { address }) => address],
]);
const networks = /^ip\/(\d{1,3})$/;

/** Why a template cannot be used, in a few words; null where it can. */
export function templateFault(template: string): string | null {
  if (template.trim() === '') return 'it names nothing: expected a text such as api:shodan or host:{host}';
  for (const [, name] of template.matchAll(placeholder)) {
    if (readerOf(name!) !== null) continue;
    const known = [...placeholders.keys()].map((key) => `{${key}}`).join(', ');
    return `unknown placeholder {${name}}: expected ${known} or {ip/N} with N from 1 to 128`;
  }
  return /[{}]/.test(template.replaceAll(placeholder, '')) ? 'a brace without its other one' : null;
}

/** Of the manifest's placeholders; any other one is the OOI itself: a limit is not turned off by what it cannot read. */
const manifestPlaceholders: Readonly<Record<string, string>> = { input_ooi: '{ooi}', object_type: '{ooi_type}' };

/** The template of what a manifest calls a group: `shodan:{input_ooi}` is `shodan:{ooi}`. */
export function templateOfGroup(group: string): string {
  const parts = group.split(/(\{[^{}]*\})/);
  return parts
    .map((part, at) =>
      at % 2 === 0 ? part.replaceAll(/[{}]/g, '') : (manifestPlaceholders[part.slice(1, -1)] ?? '{ooi}'),
    )
    .join('');
}

/** The name of a default limit: `katalogus.api.shodan.io`. With a hash where the group has what a name may not have. */
export function nameOfGroup(group: string): string {
  const plain = group.replaceAll(/[^A-Za-z0-9_.-]+/g, '-').slice(0, 40);
  return plain === group ? `katalogus.${group}` : `katalogus.${plain}-${murmur128(group).slice(0, 12)}`;
}

function readerOf(name: string): Read | null {
  const known = placeholders.get(name);
  if (known !== undefined) return known;
  const bits = Number(networks.exec(name)?.[1]);
  if (!(bits >= 1 && bits <= 128)) return null;
  return (_task, { address }) => (address === null ? null : networkOf(address, bits));
}

/** Whether a limit is for a task. */
export function concerns(limit: KeyedLimit, task: LimitedTask): boolean {
  return (
    (limit.scheduler ?? task.scheduler) === task.scheduler &&
    (limit.organisation ?? task.organisation) === task.organisation &&
    (limit.plugin === null || (task.plugin !== null && limit.plugin.split(',').includes(task.plugin))) &&
    (limit.image ?? task.image) === task.image &&
    (limit.ooiType === null || limit.ooiType === (task.ooi ?? '').split('|', 1)[0]) &&
    !(limit.exemptManual && task.manual)
  );
}

export interface LimitKey {
  readonly key: string;
  /** Its value could not be read: what is about the same OOI shares it. */
  readonly fellBack: boolean;
}

/** Of the longest references the beginning and a hash: keys are in indexes. */
const longestValue = 400;

/** What a task has to share with others of a limit: the limit's name, `/` and the value of its template. */
export function keyOf({ name, template }: Pick<KeyedLimit, 'name' | 'template'>, task: LimitedTask): LimitKey {
  const reference = referenceOf(task.ooi ?? '');
  let fellBack = false;
  let value = template.replaceAll(placeholder, (_text, wanted: string) => {
    const read = readerOf(wanted)?.(task, reference) ?? null;
    if (read === null) fellBack = true;
    return read ?? '';
  });
  // The OOI itself, never nothing: a limit is not turned off by what it cannot read.
  if (fellBack) value = `?${task.ooi ?? ''}`;
  if (value.length > longestValue) value = `${value.slice(0, longestValue / 2).toWellFormed()}~${murmur128(value)}`;
  return { key: `${name}/${value}`, fellBack };
}

/** Of the task before: several limits read the same one. */
let lastRead: readonly [ooi: string, reference: Reference] | null = null;

function referenceOf(ooi: string): Reference {
  if (lastRead?.[0] !== ooi) lastRead = [ooi, readReference(ooi)];
  return lastRead[1];
}

interface Reference {
  readonly type: string;
  readonly host: string | null;
  readonly address: string | null;
}

/** The longest of KAT have nine. Clients name references of 2 kB, and to read 340 URLs took 0.3 ms a task and limit. */
const mostParts = 16;

const hostname = /^(?=.{1,253}$)[a-z0-9_*-]{1,63}(?:\.[a-z0-9_-]{1,63})+\.?$/;

/** Host and address that an OOI is about. References are the parts of its natural key, by `|`; of a URL the host is in the text. */
export function readReference(ooi: string): Reference {
  const [type = '', ...parts] = ooi.split('|', mostParts);
  let host: string | null = null;
  let address: string | null = null;
  for (const part of parts.flatMap((text) => (text.includes('://') ? hostsOfUrl(text) : [text]))) {
    const text = part.toLowerCase();
    if (isIP(text) !== 0) address ??= canonical(text);
    else if (hostname.test(text) && !/^\d+(?:\.\d+)*$/.test(text)) host ??= text.replace(/\.$/, '');
  }
  return { type, host, address };
}

function hostsOfUrl(text: string): readonly string[] {
  const url = URL.parse(text);
  return url === null ? [] : [url.hostname.replace(/^\[|\]$/g, '')];
}

function canonical(address: string): string {
  if (isIP(address) === 4) return address;
  return URL.parse(`http://[${address.split('%', 1)[0]}]/`)?.hostname.slice(1, -1) ?? address;
}

/**
 * The network of an address, as `10.1.2.0/24`. One template serves both families: of `{ip/24}` an IPv6 address has its /64, of `{ip/64}`
 * an IPv4 address is itself.
 */
function networkOf(address: string, bits: number): string {
  const is4 = isIP(address) === 4;
  const width = is4 ? 32 : 128;
  const prefix = is4 ? Math.min(bits, 32) : bits <= 32 ? 64 : bits;
  const shift = BigInt(width - prefix);
  const network = (numberOf(address, is4) >> shift) << shift;
  return `${is4 ? text4(network) : text6(network)}/${prefix}`;
}

function numberOf(address: string, is4: boolean): bigint {
  const groups = is4 ? address.split('.').map(Number) : groupsOf(address);
  return groups.reduce((sum, group) => (sum << (is4 ? 8n : 16n)) + BigInt(group), 0n);
}

/** The eight groups of a canonical IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail = ''] = address.split('::');
  const read = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [read(head), read(tail)];
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

const text4 = (network: bigint) => [24n, 16n, 8n, 0n].map((shift) => (network >> shift) & 255n).join('.');
const text6 = (network: bigint) =>
  canonical(
    Array.from({ length: 8 }, (_, at) => ((network >> BigInt(112 - 16 * at)) & 0xffffn).toString(16)).join(':'),
  );
