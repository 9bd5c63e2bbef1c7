/** `rota/worker`: takes tasks over NATS and reports on them. Of Rota's dependencies it loads nats alone. */
export { RotaError, type ErrorCode } from '../../src/errors.ts';
export {
  connectRota,
  type ItemResult,
  type PopOptions,
  type RotaClient,
  rotaClient,
  type StatusPatch,
  type TaskPush,
} from '../../src/nats/client.ts';
export { runWorker, type Worker, type WorkerOptions } from '../../src/nats/worker.ts';
export type { FilterRequest } from '../../src/queue/filter/filter.ts';
export type { LeasedTask, Task, TaskData, TaskError, TaskStatus } from '../../src/tasks/task.ts';
