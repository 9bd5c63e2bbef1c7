import { RotaError } from '../errors.ts';
import type { KatServices } from './kat.ts';

interface Settings {
  readonly katalogus: object | null;
  readonly octopoes: object | null;
  readonly bytes: object | null;
}

export function createKatServices(
  _settings: Settings,
  _onCircuit: (service: string, state: 'closed' | 'open' | 'half-open') => void,
): KatServices {
  const absent = (service: string) => async (): Promise<never> => {
    throw new RotaError('SERVICE_UNAVAILABLE', `${service} is not configured: set ${service.toUpperCase()}_API`);
  };
  const katalogus = absent('katalogus');
  const octopoes = absent('octopoes');
  return {
    katalogus: { organisations: katalogus, plugins: katalogus, boefjeConfigs: katalogus },
    octopoes: {
      // oxlint-disable-next-line require-yield
      objects: async function* () {
        await octopoes();
      },
      objectsByReference: octopoes,
      objectClients: octopoes,
    },
    bytes: { lastRun: absent('bytes') },
  };
}
