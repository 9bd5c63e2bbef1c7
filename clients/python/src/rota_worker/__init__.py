"""Workers for Rota: `run_worker` for a worker of your own, `SchedulerClient` for a runner of KAT."""

from .client import Client, Lease, LeasedTask, Status, Task, connect
from .errors import RotaError, TaskError, TaskFailed
from .kat import SchedulerClient, SchedulerError
from .worker import Worker, run_worker

__all__ = [
    "Client",
    "Lease",
    "LeasedTask",
    "RotaError",
    "SchedulerClient",
    "SchedulerError",
    "Status",
    "Task",
    "TaskError",
    "TaskFailed",
    "Worker",
    "connect",
    "run_worker",
]
