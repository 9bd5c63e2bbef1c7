import { createWorld, makeObject, type SimulatedObject, type World } from '../../src/simulator/world.ts';
import { boefjes } from '../../src/simulator/plugins.ts';

/**
 * A KAT in which every boefje may run on every object, so that the figures can be told from its size: host names of
 * level 4, and boefjes that take host names, without settings, cron, interval or run_on.
 */
export function plainWorld(of: { organisations: number; boefjes: number; objects: number }): World {
  const world = createWorld({ organisations: of.organisations, objects: 0, boefjes: 0, recipes: 0, seed: 1 });
  for (const [at, organisation] of [...world.organisations.values()].entries()) {
    organisation.deduplicate = false;
    for (const id of organisation.plugins.keys()) {
      if (organisation.plugins.get(id)!.type === 'boefje') organisation.plugins.delete(id);
    }
    for (const boefje of boefjes(of.boefjes).slice(0, of.boefjes)) {
      const plain = {
        consumes: ['Hostname'],
        scan_level: 1,
        boefje_schema: null,
        cron: null,
        interval: null,
        run_on: null,
      };
      organisation.plugins.set(boefje.id, { ...boefje, ...plain, enabled: true, deduplicate: false });
    }
    for (let number = 0; number < of.objects; number += 1) {
      const object = hostname(at, number);
      organisation.objects.set(object.reference, object);
    }
  }
  return world;
}

/** The `number`-th host name of an organisation. */
export function hostname(organisation: number, number: number): SimulatedObject {
  // The first of ten makers makes host names.
  const made = makeObject({ domain: `org-${organisation + 1}.example`, at: number * 10, address: 0 });
  return { ...made, level: 4, profile: 'declared' };
}
