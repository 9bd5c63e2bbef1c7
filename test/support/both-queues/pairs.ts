import { boefjeHash } from '../../../src/tasks/data.ts';
import type { PairChoice } from './command.ts';

const organisations = ['a', 'b', 'c'] as const;
const boefjes = ['dns', 'nmap', 'wpscan'] as const;
/** Of two boefjes the same. */
const images = ['img:x', 'img:x', 'img:y'] as const;

export const organisationOf = (at: number): string => organisations[at]!;
export const boefjeOf = (at: number): string => boefjes[at]!;
export const ooiOf = (at: number): string => `Hostname|internet|${at}.nl`;

export function dataOf({ organisation, boefje, ooi }: PairChoice) {
  return {
    boefje: { id: boefjeOf(boefje), name: null, version: null, oci_image: images[boefje]! },
    input_ooi: ooiOf(ooi),
    organization: organisationOf(organisation),
  };
}

export function hashOf({ organisation, boefje, ooi }: PairChoice): string {
  return boefjeHash({
    boefjeId: boefjeOf(boefje),
    inputOoi: ooiOf(ooi),
    organisation: organisationOf(organisation),
  });
}

/** All that there may be. */
export const allHashes: readonly string[] = organisations.flatMap((_, organisation) =>
  boefjes.flatMap((_of, boefje) => [0, 1, 2].map((ooi) => hashOf({ organisation, boefje, ooi }))),
);
