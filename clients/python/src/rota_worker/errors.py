"""What Rota refuses, and what a worker does next: decide on `code`, never on the text."""

from __future__ import annotations

import re
import traceback
from typing import TypedDict

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Rota keeps so many bytes of each and cuts the rest; an error of 1 MB would not fit into a message.
_MESSAGE, _DETAIL = 1_024, 4_096


class RotaError(Exception):
    """A refusal of the service, or a request without an answer. `status` is the one that HTTP would answer with."""

    def __init__(self, code: str, detail: str, status: int = 503) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status

    def __reduce__(self) -> tuple[type[RotaError], tuple[str, str, int]]:
        # As the result of a process of a pool.
        return type(self), (self.code, self.detail, self.status)

    @property
    def busy(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.status in (429, 503)

    @property
    def lost(self) -> bool:
        """Whether another worker has the task, or a person ended it: drop the work."""
        return self.code == "LEASE_LOST"


class TaskFailed(Exception):
    """Raise it in a handler to say why a task failed; `code` is what operators count failures by."""

    def __init__(self, message: str, *, code: str | None = None, detail: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail


class TaskError(TypedDict, total=False):
    """Why an attempt did not complete. Only `message` is needed."""

    code: str
    message: str
    detail: str


def task_error(error: BaseException) -> TaskError:
    """
    What Rota keeps of a handler's error. Values of variables are not in it: a traceback has lines of source only.
    """
    told = isinstance(error, TaskFailed)
    message = str(error) if told else f"{type(error).__name__}: {error}".rstrip(": ")
    report: TaskError = {"message": _excerpt(message, _MESSAGE)}
    code = getattr(error, "code", None)
    if isinstance(code, str) and _CODE.fullmatch(code):
        report["code"] = code
    detail = error.detail if isinstance(error, TaskFailed) else "".join(traceback.format_exception(error, limit=-20))
    if detail is not None:
        # Of a traceback the end says most.
        report["detail"] = _excerpt(detail, _DETAIL) if told else _excerpt(detail[-_DETAIL:], _DETAIL)
    return report


def _excerpt(text: str, most: int) -> str:
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
