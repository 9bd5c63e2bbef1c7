import { setTimeout as delay } from 'node:timers/promises';
import type { KatServiceName, OutageMode } from '../../../src/simulator/kat.ts';
import type { Fault } from '../fault.ts';

const modes: readonly { readonly name: string; readonly mode: OutageMode; readonly does: string }[] = [
  { name: 'away', mode: 'reset', does: 'is away' },
  { name: 'hangs', mode: 'hang', does: 'accepts and answers nothing' },
  { name: 'refuses', mode: 'error', does: 'answers 503' },
];

function outage(service: KatServiceName, title: string, { name, mode, does }: (typeof modes)[number]): Fault {
  return {
    name: `${service}-${name}`,
    about: `${title} ${does} for 15 s`,
    seconds: 45,
    async run({ scene }) {
      scene.kat.outage(service, mode);
      await delay(15_000);
      scene.kat.outage(service, 'none');
    },
  };
}

/** Each of the three ways in turn. */
function outages(service: KatServiceName, title: string): Fault {
  return {
    name: `${service}-out`,
    about: `${title} is away, hangs, and answers 503, 6 s each`,
    seconds: 48,
    async run({ scene }) {
      for (const { mode } of modes) {
        scene.kat.outage(service, mode);
        await delay(6_000);
      }
      scene.kat.outage(service, 'none');
    },
  };
}

/** Faults of the three services that Rota asks. Every event needs Katalogus; the others matter less. */
export const katFaults: readonly Fault[] = [
  ...modes.map((mode) => outage('katalogus', 'Katalogus', mode)),
  outages('octopoes', 'Octopoes'),
  outages('bytes', 'Bytes'),
  {
    name: 'katalogus-silent',
    about: 'the network to Katalogus is silent for 15 s (no FIN, no RST)',
    seconds: 45,
    async run({ scene }) {
      scene.katLinks.katalogus.hang('silent');
      await delay(15_000);
      scene.katLinks.katalogus.mend();
    },
  },
];
