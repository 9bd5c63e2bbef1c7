import { attempt } from '../../src/mailbox/failure.ts';
import type { Setup } from '../../src/protocol/scheduler.ts';

/**
 * Those of the organisations that Katalogus does not know. A report needs nothing of Katalogus, so an outage of it holds up
 * none: an organisation that it cannot be asked about is taken to be there.
 */
export async function goneAmong({ kat }: Setup, organisations: readonly string[]): Promise<ReadonlySet<string>> {
  const asked = [...new Set(organisations)];
  const answers = await Promise.all(asked.map((organisation) => attempt(kat.katalogus.knows(organisation))));
  return new Set(
    asked.filter((_organisation, at) => {
      const answer = answers[at]!;
      return answer.ok && !answer.value;
    }),
  );
}
