import type { Command } from 'commander';
import { effectiveConfig, readConfig } from '../config/config.ts';
import { unreadFindings } from '../control/doctor.ts';
import { codeOf } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { RotaClient } from '../nats/client.ts';
import type { OperatorAnswers } from '../protocol/operator.ts';
import type { Examination, Finding } from '../protocol/operator-status.ts';
import { print, remoteCommand, type RemoteOptions, request, withRota } from './remote.ts';
import { tableOf } from './table.ts';
import { terminalWidth } from './terminal.ts';

/** `rota doctor --json`: `on` is the supervisor that found it, null for this shell. */
interface DoctorReport {
  readonly findings: readonly (Finding & { readonly on: string | null })[];
}

/** `rota doctor`: exits 1 if any finding is a problem. */
export function doctorCommand(): Command {
  return remoteCommand(
    'doctor',
    'look at configuration, connections, schema, clocks, indexes, actors, disk and versions; exit 1 for a problem',
    'rota doctor',
  ).action(async (options: RemoteOptions) => {
    const findings = [...configFindings(), ...(await remoteFindings(options))];
    print(options, { findings } satisfies DoctorReport, render);
    if (findings.some(({ level }) => level === 'problem')) process.exitCode = 1;
  });
}

type Found = DoctorReport['findings'][number];

function here(finding: Finding): Found {
  return { on: null, ...finding };
}

function configFindings(): readonly Found[] {
  try {
    const { unread } = readConfig(process.env);
    const finding = "this shell's environment would start a supervisor";
    return [
      here({ level: 'fine', about: 'configuration', finding, advice: null }),
      ...unreadFindings(unread).map(here),
    ];
  } catch (error) {
    const advice = 'docs/configuration.md lists every variable';
    return [here({ level: 'problem', about: 'configuration', finding: failureOf(error).message, advice })];
  }
}

async function remoteFindings(options: RemoteOptions): Promise<readonly Found[]> {
  try {
    return await withRota(options, (client) => examine(client));
  } catch (error) {
    const advice =
      codeOf(error) === 'UNAUTHORIZED'
        ? 'see NATS_USER, NATS_CREDS and friends'
        : 'is nats-server up, and --nats its address?';
    return [here({ level: 'problem', about: 'nats', finding: failureOf(error).message, advice })];
  }
}

async function examine(client: RotaClient): Promise<readonly Found[]> {
  const { version } = client.connection.info ?? { version: 'unknown' };
  const nats = here({ level: 'fine', about: 'nats', finding: `nats-server ${version} answers`, advice: null });
  const instances = await client.instances();
  if (instances.length === 0) {
    const advice = 'start one (rota start), or see --prefix';
    return [nats, here({ level: 'problem', about: 'supervisors', finding: 'none answers', advice })];
  }
  const answers = await Promise.allSettled(instances.map((it) => request(client, 'doctor', {}, it)));
  const examined = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const silent = answers.flatMap((answer, at): Found[] => {
    if (answer.status === 'fulfilled') return [];
    const finding = failureOf(answer.reason).message;
    return [{ on: instances[at]!, level: 'problem', about: 'supervisor', finding, advice: 'is it stuck? see its log' }];
  });
  return [
    nats,
    versionFinding(examined),
    ...silent,
    ...examined.flatMap(({ instance, findings }) => findings.map((finding) => ({ on: instance, ...finding }))),
  ];
}

function versionFinding(examined: readonly Examination[]): Found {
  const versions = [...new Set(examined.map(({ version, node }) => `Rota ${version} on Node ${node}`))];
  const finding = versions.join('; ') || 'unknown';
  if (versions.length < 2) return here({ level: 'fine', about: 'versions', finding, advice: null });
  return here({ level: 'warning', about: 'versions', finding, advice: 'bring every supervisor to one version' });
}

const signs = { fine: 'ok', warning: 'WARN', problem: 'PROBLEM' } as const;

function render({ findings }: DoctorReport): string {
  return tableOf(
    ['', 'ABOUT', 'ON', 'FINDING', 'DO'],
    findings.map(({ level, about, on, finding, advice }) => [signs[level], about, on, finding, advice ?? '']),
    terminalWidth(),
    { wrap: true },
  );
}

interface ConfigOptions extends RemoteOptions {
  readonly instance?: string;
  readonly local?: boolean;
  readonly all?: boolean;
}

export function configCommand(): Command {
  return remoteCommand('config', 'the configuration in use, and where each value comes from', 'rota config --local')
    .option('--instance <id>', 'of this supervisor; any answers where absent')
    .option('--local', "of this shell's environment; asks no supervisor")
    .option('--all', 'defaults, too')
    .action(async (options: ConfigOptions) => {
      const answer = options.local === true ? local() : await remote(options);
      const values = options.all === true ? answer.values : answer.values.filter(({ from }) => from !== 'default');
      print(options, { ...answer, values }, (it) =>
        tableOf(
          ['VARIABLE', 'VALUE', 'FROM'],
          it.values.map(({ name, value, from }) => [name, value, from]),
        ),
      );
    });
}

/** `instance` is null for the configuration of this shell. */
interface ConfigAnswer extends Omit<OperatorAnswers['config'], 'instance'> {
  readonly instance: string | null;
}

function local(): ConfigAnswer {
  return { instance: null, values: effectiveConfig(readConfig(process.env), process.env) };
}

function remote(options: ConfigOptions): Promise<ConfigAnswer> {
  return withRota(options, (client) => request(client, 'config', {}, options.instance));
}
