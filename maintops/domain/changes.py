"""What a checklist says about changing servers: the steps that act, and the policy by which they are carried out.

Values only; `maintops.files` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maintops.domain.windows import Windows

DEFAULT_STEP_TIMEOUT = 3600.0
"""Seconds that a step may take on a server where its author says nothing."""

DEFAULT_REBOOT_TIMEOUT = 900.0
"""Seconds within which a server must be back from its reboot where its author says nothing."""

DEFAULT_ESTIMATE = 600.0
"""Seconds that a step is taken to last where neither its author nor an earlier run says more."""


class Reboot(StrEnum):
    """When a step reboots a server."""

    IF_NEEDED = "if-needed"
    ALWAYS = "always"
    NEVER = "never"


class Packages(StrEnum):
    """Whether the last wave gets exactly the package versions that the plan names, or what there is by then."""

    PINNED = "pinned"
    LATEST = "latest"


class Late(StrEnum):
    """What becomes of a plan whose window has passed: it is given up, or a person at the terminal is asked."""

    SKIP = "skip"
    ASK = "ask"


class Approval(StrEnum):
    """Whether somebody must approve a plan, or the checklist is a standard change that is approved beforehand."""

    REQUIRED = "required"
    STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class Action:
    """What a step does, or what undoes it. Exactly one of `playbook` (an absolute path), `role` (a name), `tasks`
    (Ansible tasks as written) and `fabric` (`/absolute/file.py:function`) is set. `parameters` are its variables; a
    value `{from: NAME}` stands for the checklist's parameter. `become` None means: as the inventory says. `file` is the
    absolute path of the checklist that `tasks` stand in."""

    playbook: str | None = None
    role: str | None = None
    tasks: tuple[Mapping[str, Any], ...] = ()
    fabric: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    become: bool | None = None
    timeout: float = DEFAULT_STEP_TIMEOUT
    file: str = ""

    @property
    def kind(self) -> str:
        """playbook, role, tasks or fabric."""
        return "playbook" if self.playbook else "role" if self.role else "fabric" if self.fabric else "tasks"


@dataclass(frozen=True, slots=True)
class ChangeStep:
    """One item that changes a server: exactly one of `act` and `reboot` is set.

    `precheck` and `postcheck` are ids of the checklist's checks that must pass right before and right after it.
    A step that can be undone has a `rollback`; any other is `irreversible`. `idempotent`: it may be done again where
    nobody knows whether it was done; where it is not, `done` (a command of sh on the server: 0 done, 1 not done) tells.
    `estimate` is in seconds; 0 where the author says nothing. `timeout` is a reboot's: seconds until it is back.
    """

    id: str
    title: str
    why: str = ""
    action: str = ""
    tags: tuple[str, ...] = ()
    act: Action | None = None
    reboot: Reboot | None = None
    precheck: tuple[str, ...] = ()
    postcheck: tuple[str, ...] = ()
    rollback: Action | None = None
    irreversible: bool = False
    idempotent: bool = True
    done: str = ""
    estimate: float = 0.0
    timeout: float = DEFAULT_REBOOT_TIMEOUT

    @property
    def kind(self) -> str:
        """playbook, role, tasks, fabric or reboot."""
        return self.act.kind if self.act is not None else "reboot"


@dataclass(frozen=True, slots=True)
class Hook:
    """A command around a server's change, run by sh with MAINTOPS_SERVER, MAINTOPS_RUN and MAINTOPS_DUTY in its
    environment. `on` is `controller` or `server`. `undo` takes back what `command` did; `verify` exits 0 where it took
    effect. Each must be harmless to repeat. `timeout`: seconds for each of them."""

    command: str
    on: str = "controller"
    undo: str = ""
    verify: str = ""
    timeout: float = 300.0


@dataclass(frozen=True, slots=True)
class Share:
    """How large a wave is: how many servers the run has reached when it ends, as a number or in percent of all."""

    count: int | None = None
    percent: float | None = None

    def reach(self, servers: int) -> int:
        """How many of so many servers; at least one, never more than all."""
        wanted = self.count if self.count is not None else ceil(servers * (self.percent or 0.0) / 100 - 1e-9)
        return min(servers, max(1, wanted))

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{self.percent:g}%"


@dataclass(frozen=True, slots=True)
class Risk:
    """What can go wrong, and what is done then."""

    assessment: str = ""
    contingency: str = ""


DEFAULT_WAVES = (Share(count=1), Share(percent=10), Share(percent=50), Share(percent=100))


@dataclass(frozen=True, slots=True)
class ChangePolicy:
    """How a checklist's steps are carried out.

    `budget` is how many servers of a run may fail (fail, be unreachable, be unknown, fail a postcheck) before it stops;
    `canary_budget` the same for its first wave. `soak` is in seconds, `gate` a command on the controller that exits 0
    where the next wave may begin. `approval_hours`: how long an approval holds. `expected` are the differences that a
    change may leave (see maintops.domain.proofs); `verify` the absolute paths of testinfra files. `console_required`:
    nothing is rebooted whose console or management controller does not answer.
    """

    waves: tuple[Share, ...] = DEFAULT_WAVES
    soak: float = 0.0
    gate: str = ""
    gate_timeout: float = 300.0
    budget: int = 0
    canary_budget: int = 0
    packages: Packages = Packages.PINNED
    approval: Approval = Approval.REQUIRED
    approval_hours: float = 168.0
    windows: Windows | None = None
    late: Late = Late.SKIP
    silence: Hook | None = None
    drain: Hook | None = None
    snapshot: Hook | None = None
    risk: Risk = Risk()
    people: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    console_required: bool = False

    @property
    def hooks(self) -> tuple[tuple[str, Hook], ...]:
        """The hooks that there are, in the order in which they are begun; they are undone the other way round."""
        named = (("silence", self.silence), ("drain", self.drain), ("snapshot", self.snapshot))
        return tuple((name, hook) for name, hook in named if hook is not None)


NO_POLICY = ChangePolicy()
"""Where a checklist says nothing."""
