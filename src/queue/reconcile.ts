import type { Client } from 'pg';

export async function reconcile(
  _client: Client,
  _options: { gracePeriodSeconds: number; report: (step: string) => void },
): Promise<void> {}
