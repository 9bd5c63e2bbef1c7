import { attempt, type Failure } from '../../src/mailbox/failure.ts';
import type { Ooi } from '../../src/kat/kat.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';
import { inParallel } from './parallel.ts';

/** Requests of a batch in flight to Octopoes, one per organisation: those of two batches within its client's 10 connections. */
const width = 5;

/** The OOIs that exist, in one request per organisation; one that is out is absent, and stands in `out` with why. */
export async function ooisOf(
  setup: Setup,
  asked: readonly { readonly organisation: string; readonly ooi: string | null }[],
  out: Map<string, Failure>,
): Promise<ReadonlyMap<string, ReadonlyMap<string, Ooi>>> {
  const oois = new Map<string, ReadonlyMap<string, Ooi>>();
  const byOrganisation = Map.groupBy(
    asked.filter(({ ooi }) => ooi !== null),
    ({ organisation }) => organisation,
  );
  await inParallel([...byOrganisation], width, async ([organisation, those]) => {
    const references = [...new Set(those.map(({ ooi }) => ooi!))];
    const answer = await attempt(setup.kat.octopoes.objectsByReference(organisation, references));
    if (answer.ok) oois.set(organisation, answer.value);
    else out.set(organisation, answer.failure);
  });
  return oois;
}
