/** One thing that can be down, and why it is. */
export interface Problem {
  /** `database`, `broker`, `nats`, or a scheduler's id. */
  readonly part: string;
  readonly reason: string;
}

export interface HealthChecks {
  /** Rejects or hangs where the database cannot be asked. */
  database(): Promise<unknown>;
  natsConnected(): boolean;
  actors(): readonly { readonly name: string; readonly phase: string; readonly lastFailure: { message: string } | null }[];
  /** Lost event sources: a source that is not configured is not among them. */
  lostSources(): readonly string[];
}

const databaseWithinMs = 2_000;

/** Looks at every part; never rejects. Empty is healthy. */
export async function problemsOf(checks: HealthChecks): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const database = await databaseProblem(checks);
  if (database !== null) problems.push(database);
  if (!checks.natsConnected()) problems.push({ part: 'nats', reason: 'connection lost: reconnecting' });
  for (const source of checks.lostSources()) problems.push({ part: 'broker', reason: `${source}: connection lost` });
  for (const { name, phase, lastFailure } of checks.actors()) {
    if (phase === 'running' || phase === 'starting') continue;
    problems.push({ part: name, reason: `actor is ${phase}${lastFailure ? `: ${lastFailure.message}` : ''}` });
  }
  return problems;
}

export async function databaseProblem(checks: Pick<HealthChecks, 'database'>): Promise<Problem | null> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`no answer within ${databaseWithinMs} ms`)), databaseWithinMs);
  try {
    await Promise.race([checks.database(), timeout.promise]);
    return null;
  } catch (error) {
    return { part: 'database', reason: (error as Error).message };
  } finally {
    clearTimeout(timer);
  }
}
