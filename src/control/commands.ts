import { actorCommands } from './actors.ts';
import type { Audit, OperatorCommand } from './operator-command.ts';
import { overviewCommands, type Overseen } from './overview.ts';

/** What operators act on: interfaces only, handed in by main.ts. */
export type Operated = Overseen & {
  readonly audit: Audit;
};

/** Everything on `rota.ctl.<name>`; one file per group. */
export function operatorCommands(operated: Operated): readonly OperatorCommand[] {
  return [...overviewCommands(operated), ...actorCommands(operated)];
}
