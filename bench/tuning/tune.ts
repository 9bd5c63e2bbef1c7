import { describeMachine } from '../harness/report.ts';
import { bestOf, compare, type Comparison, isWorthwhile, type Round } from './compare.ts';
import { type Candidate, Candidates, type ServerSettings, type Settings } from './candidates.ts';
import { type Knob, knobs } from './knobs.ts';
import { type Pace, type WorkloadName, workloads } from './workloads.ts';

interface TuneOptions {
  readonly quick: boolean;
  readonly say: (text: string) => void;
  /** Ends the servers, should the tuning be interrupted. */
  readonly stack: AsyncDisposableStack;
}

type Compared = Comparison & { readonly workload: WorkloadName };

/** What one knob bought. */
interface Turned {
  readonly knob: string;
  readonly where: Knob['where'];
  readonly standard: Settings;
  readonly tried: readonly { readonly settings: Settings; readonly compared: readonly Compared[] }[];
  /** Null: the default. */
  readonly use: Settings | null;
}

/** As `--json` prints it: docs/tuning.md. */
interface Tuning {
  readonly tuning: readonly Turned[];
  /** All that is worthwhile at once against the defaults; empty where nothing is. */
  readonly combination: readonly Compared[];
  /** What to set on this machine; empty where the defaults are as good as anything. */
  readonly settings: ServerSettings;
}

const warmUpMs = 1_500;
const defaults: ServerSettings = { rota: {}, postgres: {} };
const paces: Readonly<Record<'quick' | 'full', Pace & { readonly rounds: number }>> = {
  quick: { warmUpMs: 150, measureMs: 800, sustainedMs: 0, rounds: 3 },
  full: { warmUpMs: 400, measureMs: 1_500, sustainedMs: 30_000, rounds: 5 },
};

/** Turns one knob at a time around the defaults, then all at once that were worth it; everything interleaved. */
export async function tune({ quick, say, stack }: TuneOptions): Promise<Tuning> {
  const candidates = new Candidates(stack);
  const pace = paces[quick ? 'quick' : 'full'];
  const tuning: Turned[] = [];
  for (const knob of knobs(describeMachine())) {
    if (knob.tries.length === 0) continue;
    say(`\n${knob.name} (default ${valueOf(knob.standard)})`);
    if (quick && knob.slow) {
      say('  takes longer to show than this: leave out --quick');
      continue;
    }
    const [standard, ...setups] = [knob.standard, ...knob.tries].map((settings) => ({
      ...defaults,
      [knob.where]: settings,
    }));
    const compared = await against(candidates, standard!, setups, knob.workloads, pace);
    for (const [at, one] of compared.entries()) say(`  ${valueOf(knob.tries[at]!)}: ${one.map(sentence).join(', ')}`);
    const best = bestOf(compared);
    const use = best === null ? null : knob.tries[best]!;
    const unclear = compared.flat().some(({ verdict }) => verdict === 'unclear');
    if (use !== null) say(`  use ${textOf(use)}`);
    else if (unclear) say('  no result: keep the default, or try again when the machine is quiet');
    else say('  no difference for the better: keep the default');
    const tried = compared.map((one, at) => ({ settings: knob.tries[at]!, compared: one }));
    tuning.push({ knob: knob.name, where: knob.where, standard: knob.standard, tried, use });
  }
  const combination = await confirm(candidates, tuning, pace, say);
  const worthwhile = isWorthwhile(combination);
  return { tuning, combination, settings: worthwhile ? setupOf(tuning) : defaults };
}

/** What is best by itself may not be so together: that is measured, too. */
async function confirm(
  candidates: Candidates,
  tuning: readonly Turned[],
  pace: Pace & { rounds: number },
  say: TuneOptions['say'],
): Promise<readonly Compared[]> {
  const setup = setupOf(tuning);
  const settings = { ...setup.rota, ...setup.postgres };
  if (Object.keys(settings).length === 0) {
    say('\nNothing that was tried is better for certain: keep the defaults.');
    return [];
  }
  // In a cluster of its own, as what it is compared with, or both in the shared one.
  const standard = setupOf(tuning.map((turned) => ({ ...turned, use: turned.use && turned.standard })));
  const [compared] = await against(candidates, standard, [setup], ['pop', 'push', 'lives', 'sets'], pace);
  say(`\nAll of them against the defaults: ${compared!.map(sentence).join(', ')}`);
  if (!isWorthwhile(compared!)) {
    say('Together they are not worth it: keep the defaults.');
    return compared!;
  }
  say('Settings for this machine');
  for (const { where, use, tried } of tuning) {
    const bought = tried.find((one) => one.settings === use)?.compared ?? [];
    if (use !== null) say(`  ${where.padEnd(9)} ${textOf(use).padEnd(44)} ${bought.map(sentence).join(', ')}`);
  }
  return compared!;
}

function setupOf(tuning: readonly Turned[]): ServerSettings {
  const of = (where: Knob['where']): Settings =>
    Object.assign({}, ...tuning.filter((turned) => turned.where === where).map(({ use }) => use));
  return { rota: of('rota'), postgres: of('postgres') };
}

function warmUp(pace: Pace): Pace {
  return { ...pace, sustainedMs: Math.min(pace.sustainedMs, warmUpMs), measureMs: warmUpMs };
}

/** Each setup beside fresh defaults: tables that have grown are slower under any setting. */
async function against(
  candidates: Candidates,
  standard: ServerSettings,
  setups: readonly ServerSettings[],
  wanted: readonly WorkloadName[],
  pace: Pace & { readonly rounds: number },
): Promise<readonly (readonly Compared[])[]> {
  const base = await candidates.open(standard);
  const open = await Promise.all(setups.map((setup) => candidates.open(setup)));
  try {
    const rounds = setups.map(() => wanted.map((): Round[] => []));
    // What has just started has compiled nothing, and would be slower for it.
    for (const candidate of [base, ...open])
      for (const workload of wanted) await workloads[workload](candidate, warmUp(pace));
    for (let round = 0; round < pace.rounds; round += 1) {
      for (const [place, workload] of wanted.entries()) {
        const rate = (candidate: Candidate) => workloads[workload](candidate, pace);
        const before = await rate(base);
        const tried: number[] = [];
        for (const candidate of open) tried.push(await rate(candidate));
        const after = await rate(base);
        for (const [at, value] of tried.entries()) rounds[at]![place]!.push({ before, tried: value, after });
      }
    }
    return rounds.map((ofSetup) => ofSetup.map((one, place) => ({ workload: wanted[place]!, ...compare(one) })));
  } finally {
    await Promise.all([base, ...open].map((candidate) => candidate.close()));
  }
}

/** `pop +12 %`; in brackets where it is no more than noise. */
function sentence({ workload, gain, noise, verdict }: Compared): string {
  if (verdict === 'unclear') return `${workload} too noisy to tell (${Math.round(noise * 100)} %)`;
  const percent = Math.round(gain * 100);
  const text = `${workload} ${percent < 0 ? '−' : '+'}${Math.abs(percent)} %`;
  return verdict === 'same' ? `(${text})` : text;
}

/** Of one setting its value alone. */
function valueOf(settings: Settings): string {
  const values = Object.values(settings);
  return values.length === 1 ? values[0]! : textOf(settings);
}

function textOf(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
