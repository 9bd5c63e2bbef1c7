import { type ActorDesk, actorCommands } from './actors.ts';
import { type DeadDesk, deadCommands } from './dead.ts';
import { type DoctorDesk, doctorCommands } from './doctor.ts';
import { type ExplainDesk, explainCommands } from './explain.ts';
import type { OperatorCommand } from './operator-command.ts';
import { type Overseen, overviewCommands } from './overview.ts';
import { type PauseDesk, pauseCommands } from './pauses.ts';
import { type PlaceDesk, placeCommands } from './place.ts';
import { type RerankDesk, rerankCommands } from './rerank.ts';
import { type ScheduleDesk, scheduleCommands } from './schedules.ts';
import { type TaskDesk, taskCommands } from './tasks.ts';

/** What operators act on: interfaces only, handed in by main.ts. */
export type Operated = Overseen &
  ActorDesk &
  TaskDesk &
  ScheduleDesk &
  PauseDesk &
  RerankDesk &
  ExplainDesk &
  DeadDesk &
  DoctorDesk &
  PlaceDesk;

/** Everything on `rota.ctl.<name>`; one file per group. */
export function operatorCommands(operated: Operated): readonly OperatorCommand[] {
  return [
    ...overviewCommands(operated),
    ...actorCommands(operated),
    ...taskCommands(operated),
    ...scheduleCommands(operated),
    ...pauseCommands(operated),
    ...rerankCommands(operated),
    ...explainCommands(operated),
    ...deadCommands(operated),
    ...doctorCommands(operated),
    ...placeCommands(operated),
  ];
}
