"""What a probe is: a question in sh, and a reader of its answer. Strangers' probes keep the same contract.

A probe is a value. Its `question` may quote parameters only with `shlex.quote`; its `read` is a pure function that
never guesses: what it cannot find in the answer it leaves out. What the question may rely on:

- it runs in a POSIX shell of its own, as the user of the trip, with a known PATH (sbin included), `LC_ALL=C`, no pager,
  standard input from /dev/null, its own timeout and output limit;
- it is read-only, writes no file and prints no secret (names of accounts, never password hashes);
- the shell function `part NAME COMMAND [ARG…]` runs one of several commands so that
  `maintops.domain.answers.parts` can tell their outputs apart (NAME: one line, not empty).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from maintops.domain.answers import Answer, Reading, Skipped
from maintops.domain.checklists import Rule

FactType = Literal["bool", "int", "float", "str", "list", "dict"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that a probe can measure: its type, what it means, and its unit where it has one (bytes, percent, …)."""

    type: FactType
    meaning: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What can be set for a probe: a default and what it means."""

    default: Any
    meaning: str


class Presence(StrEnum):
    """What it means when a subject of an earlier record is not in a new answer.

    `lasting`: it should be there (a disk): its absence is a finding. `passing`: it comes and goes (a failed unit): its
    absence is the good news that a finding about it is gone.
    """

    LASTING = "lasting"
    PASSING = "passing"


class Reach(StrEnum):
    """Whom a probe asks: the server itself, in its one trip, or its management controller (BMC) over the network."""

    SERVER = "server"
    REDFISH = "redfish"
    IPMI = "ipmi"


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask a server and how to read its answer.

    `facts` declares every fact that a subject can have, by name. `question` gives the sh text for some parameters, or
    Skipped when nothing is configured to look at. `read` turns the answer into subjects and facts; it raises
    UnreadableAnswer for an answer that is not in its format, and never anything else.

    `recording` makes an answer of what a tool printed when a person called it (`maintops probe read`), where that is
    not the whole answer to the question; it raises UnreadableAnswer for output of no tool that it knows. `reach` says
    whom the question is for; `question` then gives what docs/probes.md says of that reach in place of sh.
    """

    name: str
    title: str
    facts: Mapping[str, Fact]
    question: Callable[[Mapping[str, Any]], str | Skipped]
    read: Callable[[Answer, Mapping[str, Any]], Reading]
    presence: Presence = Presence.LASTING
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    recording: Callable[[bytes], Answer] | None = None
    reach: Reach = Reach.SERVER


@dataclass(frozen=True, slots=True)
class Parser:
    """Reads a command's output. `facts` as in Probe where known beforehand; None: they depend on the output. `rules`
    judge it where the check has none of its own: for tools whose results are judged already."""

    name: str
    read: Callable[[Answer], Reading]
    facts: Mapping[str, Fact] | None = None
    rules: tuple[Rule, ...] = ()
