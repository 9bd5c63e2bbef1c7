import { availableParallelism, loadavg } from 'node:os';
import Table from 'cli-table3';
import type { Finding } from './findings.ts';

const columns = [
  'fault',
  'verdict',
  'accepted',
  'lost',
  'twice',
  'given up',
  'dead-lettered',
  'taken',
  'silent',
  'pops back',
  'events back',
  'memory',
] as const;

function cells(finding: Finding): readonly string[] {
  const { fault, verdict, figures } = finding;
  if (figures === undefined) return [fault, verdict, ...Array<string>(columns.length - 2).fill('')];
  const { accepted, lost, twice, given_up, dead_lettered, taken, silent } = figures;
  const counts = [accepted, lost, twice, given_up, dead_lettered, taken, silent].map(String);
  const memory = `${figures.memory_rest_mib} → ${figures.memory_most_mib} MiB`;
  return [fault, verdict, ...counts, time(figures.pops_back_ms), time(figures.events_back_ms), memory];
}

function time(ms: number | null): string {
  return ms === null ? 'never' : `${(ms / 1_000).toFixed(1)} s`;
}

export function tableOf(findings: readonly Finding[]): string {
  const table = new Table({ head: [...columns], style: { head: [], border: [], compact: true } });
  for (const finding of findings) table.push([...cells(finding)]);
  return table.toString();
}

/** One line for each guarantee that broke, and for each fault that was left out. */
export function sentencesOf({ fault, reason, breaches }: Finding): readonly string[] {
  const leftOut = reason === undefined ? [] : [`${fault}: left out: ${reason}`];
  return [...leftOut, ...breaches.map(({ guarantee, what }) => `${fault}: broke “${guarantee}”: ${what}`)];
}

const begin = '<!-- The table is written by `make drill ARGS="--page docs/guarantees.md"`. -->';
const end = '<!-- End of the table. -->';

/** Where a run took place: times of a machine that has no CPU to spare are not Rota's own. */
interface Machine {
  readonly cores: number;
  /** Processes that wanted a core, on average over the last 15 minutes. */
  readonly load: number;
}

export function machineOf(): Machine {
  return { cores: availableParallelism(), load: Math.round(loadavg()[2]! * 10) / 10 };
}

export function machineSentence({ cores, load }: Machine): string {
  const starved = load > 2 * cores ? ', too busy for times to be Rota’s own' : '';
  return `${cores} cores, load ${load}${starved}`;
}

/** The page with the table of this run in place of the one before. */
export function withTable(page: string, findings: readonly Finding[], machine: Machine, when: Date): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`the page has no “${begin}” … “${end}”`);
  const row = (of: readonly string[]) => `| ${of.join(' | ')} |`;
  const table = [row(columns), row(columns.map(() => '---')), ...findings.map((finding) => row(cells(finding)))];
  const broken = findings.flatMap(sentencesOf).map((sentence) => `- ${sentence}`);
  const told = [`Run of ${when.toISOString().slice(0, 10)}, ${machineSentence(machine)}:`, '', ...table, '', ...broken]
    .join('\n')
    .trimEnd();
  return `${before}${begin}\n\n${told}\n\n${end}${after}`;
}
