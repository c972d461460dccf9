"""What came back from one server, read: for every planned check either a reading or the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, Skipped, SubjectFacts, UnreadableAnswer
from maintops.domain.checklists import Rule
from maintops.domain.durations import spoken
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Delivery, Failure, FailureKind, Preview, Previewed, Reply, Told
from maintops.script.reading import Header, Heard, hear
from maintops.workflow.planning import BMC_ADDRESS, CheckPlan, ServerPlan

_LONGEST_DIFF = 4000

MOST_SUBJECTS = 1000
"""More subjects than a check can sensibly have: a server that names more is not believed."""

_UNANSWERED = {
    FailureKind.UNREACHABLE: Outcome.UNREACHABLE,
    FailureKind.BROKEN: Outcome.UNKNOWN,
    FailureKind.STOPPED: Outcome.NOT_REACHED,
    FailureKind.OVERTIME: Outcome.UNKNOWN,
    FailureKind.OVERFLOW: Outcome.FAILED,
    FailureKind.UNUSABLE: Outcome.FAILED,
}
_BEGUN = {
    FailureKind.UNREACHABLE: Outcome.UNREACHABLE,
    FailureKind.BROKEN: Outcome.UNKNOWN,
    FailureKind.STOPPED: Outcome.UNKNOWN,
    FailureKind.OVERTIME: Outcome.FAILED,
    FailureKind.OVERFLOW: Outcome.FAILED,
    FailureKind.UNUSABLE: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True)
class ServerReading:
    """`readings` maps each check id to what was measured, or to the cell that says why nothing was.

    `header` is what the machine said of itself, `notes` are the reasons of failed trips.
    """

    readings: Mapping[str, Reading | Cell]
    header: Header | None = None
    notes: tuple[str, ...] = ()


_NO_STATUS = (
    "how it ended is not known: it wrote without end to its standard error, something that it left behind held its "
    "output open, or something on the server ended its shell"
)


def read_delivery(plan: ServerPlan, checks: Sequence[CheckPlan], delivery: Delivery | None) -> ServerReading:
    """Reads a server's delivery; None stands for a server that was asked nothing."""
    readings: dict[str, Reading | Cell] = {check: Skipped(why) for check, why in plan.asking.skipped.items()}
    by_id = {one.check.id: one for one in checks}
    header: Header | None = None
    notes: list[str] = []
    for script, reply in zip(plan.asking.scripts, delivery.replies if delivery else (), strict=bool(delivery)):
        heard = hear(reply.stream, script)
        header = header or heard.header
        if reply.failure is not None and reply.failure.why not in notes:
            notes.append(reply.failure.why)
        for check, asked_as in plan.asking.checks(script):
            readings[check] = _read(by_id[check], plan, asked_as, heard, reply)
    return ServerReading(readings, header, tuple(notes))


def _read(check: CheckPlan, plan: ServerPlan, asked_as: str, heard: Heard, reply: Reply) -> Reading | Cell:
    answer = heard.answers.get(asked_as)
    if answer is None:
        return _unanswered(check.check.id, asked_as, heard, reply.failure)
    return _answered(check, answer, plan.asking.parameters[check.check.id])


def _answered(check: CheckPlan, answer: Answer, parameters: Mapping[str, object]) -> Reading | Cell:
    if answer.timed_out:
        return _failed(check, f"no answer within its {spoken(check.check.timeout)}", answer)
    if answer.truncated:
        return _failed(check, f"its output was truncated: more than {check.check.limit} bytes", answer)
    if answer.status is None:
        return _failed(check, _NO_STATUS, answer)
    return _reading(check, answer, parameters)


def read_told(plan: ServerPlan, check: CheckPlan, told: Told | None, stopped: str | None) -> Reading | Cell:
    """What a server's management controller said; None where nobody asked it in time."""
    id = check.check.id
    if told is None:
        why = stopped or "its management controller brought no answer and no reason"
        return Cell(id, None, Outcome.NOT_REACHED if stopped else Outcome.UNKNOWN, message=why)
    if told.answer is not None:
        return _answered(check, told.answer, plan.asking.parameters[id])
    if told.failure is None:
        return Cell(id, None, Outcome.UNKNOWN, message="its management controller gave neither an answer nor a reason")
    return Cell(id, None, _BEGUN[told.failure.kind], message=told.failure.why)


def inquired(planned: ServerPlan, told: Told | None, stopped: str | None, check: CheckPlan) -> Reading | Cell:
    """What a server's management controller said to a check."""
    if not planned.has_bmc:
        return Skipped(f"the inventory names no management controller of this server ({BMC_ADDRESS})")
    return read_told(planned, check, told, stopped)


def unasked(planned: ServerPlan, stopped: str | None) -> ServerReading:
    """What is known of a server that no engine brought anything of: why."""
    outcome = Outcome.NOT_REACHED if stopped else Outcome.UNKNOWN
    why = stopped or f"the {planned.engine} engine brought no answer and no reason"
    readings: dict[str, Reading | Cell] = {
        check: Cell(check, None, outcome, message=why) for check in planned.asking.answers
    }
    for check, told in planned.asking.skipped.items():
        readings[check] = Cell(check, None, Outcome.SKIPPED, message=told)
    return ServerReading(readings, None, (why,))


def _reading(check: CheckPlan, answer: Answer, parameters: Mapping[str, object]) -> Reading | Cell:
    if check.probe is None:
        raise ValueError(f"{check.check.id} has no probe to read with")
    try:
        reading = check.probe.read(answer, parameters)
    except UnreadableAnswer as error:
        return _failed(check, f"its answer cannot be read: {error}", answer)
    except Exception as error:
        return _failed(check, f"its reader broke: {type(error).__name__}: {error}", answer)
    if isinstance(reading, Skipped | NotMeasured):
        return reading
    names = [subject.subject for subject in reading.subjects]
    if len(names) > MOST_SUBJECTS:
        return _failed(check, f"it names {len(names)} subjects; more than {MOST_SUBJECTS} are not believed", answer)
    if len(set(names)) < len(names):
        return _failed(check, "it names a subject twice", answer)
    for subject in reading.subjects:
        if not all(_is_json(value) for value in subject.facts.values()):
            return _failed(check, "its reader broke: it gave a fact that is no JSON value", answer)
    return reading


def _is_json(value: object) -> bool:
    if value is None or isinstance(value, str | int | float):
        return True
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(inner) for key, inner in value.items())
    return isinstance(value, list | tuple) and all(map(_is_json, value))


def _unanswered(check: str, asked_as: str, heard: Heard, failure: Failure | None) -> Cell:
    if failure is None:
        if heard.header is None:
            return Cell(
                check, None, Outcome.UNKNOWN, message="the server did not run the script: nothing of it came back"
            )
        where = "in the middle of this check" if heard.begun == asked_as else "before this check's turn"
        return Cell(check, None, Outcome.UNKNOWN, message=f"the answer ended {where}")
    table = _BEGUN if heard.begun == asked_as or failure.blind else _UNANSWERED
    return Cell(check, None, table[failure.kind], message=failure.why)


def _failed(check: CheckPlan, why: str, answer: Answer) -> Cell:
    excerpt = answer.stderr or answer.stdout[:2000]
    return Cell(check.check.id, None, Outcome.FAILED, message=why, evidence=excerpt.decode("utf-8", "replace"))


TASK_RULES = (Rule("changed", Severity.WARNING, "{{ subject }} {{ task }}: Ansible would change something"),)
"""What judges tasks that carry ids of their own."""

OTHERS = "other tasks"
"""The subject of tasks without an id, in content that has some with one."""

_TASK_ID = re.compile(r"\s*(?:\S+ : )?([0-9]{2}-[0-9]{3})\b[:\s]*(.*)", re.DOTALL)
"""A task's name that begins with an id (10-020: …), with its role's name before it or not: a habit of maintenance
roles, in which `changed` stands for a finding."""


def read_preview(check: str, preview: Preview | None, stopped: str | None, *, split: bool = False) -> Reading | Cell:
    """The cell of a playbook check: changed means that the server is not as the content wants it. With `split`, content
    whose tasks carry ids is read as one subject per id."""
    if preview is None:
        why = stopped or "Ansible did not account for this server"
        return Cell(check, None, Outcome.NOT_REACHED if stopped else Outcome.UNKNOWN, message=why)
    if preview.failure is not None:
        table = _BEGUN if preview.tasks else _UNANSWERED
        outcome = Outcome.FAILED if preview.failure.kind is FailureKind.OVERTIME else table[preview.failure.kind]
        return Cell(check, None, outcome, message=preview.failure.why)
    if split and not any(task.status == "failed" for task in preview.tasks):
        subjects = _tasks(preview)
        if subjects:
            return Measured(subjects)
    return _previewed(check, preview)


def _tasks(preview: Preview) -> tuple[SubjectFacts, ...]:
    """One subject per id of the tasks that ran, or that check mode left out; several tasks may share an id. Not called
    where one failed: what comes behind it was not looked at, and must not read as gone."""
    found: dict[str, list[tuple[str, Previewed]]] = {}
    for task in preview.tasks:
        named = _TASK_ID.fullmatch(task.task)
        if named and (task.status != "skipped" or task.message.startswith("not previewable")):
            found.setdefault(named[1], []).append((named[2].strip(), task))
    if not found:
        return ()
    others = [task for task in preview.tasks if not _TASK_ID.fullmatch(task.task)]
    return tuple(_task(id, tasks) for id, tasks in found.items()) + _others(others)


def _others(tasks: Sequence[Previewed]) -> tuple[SubjectFacts, ...]:
    """What the tasks without an id have to say, as one more subject: nothing of it may be hidden by those with one."""
    changed = [task for task in tasks if task.status == "changed"]
    unclear = [task.task for task in tasks if task.message.startswith("not previewable")]
    if changed:
        named = ", ".join(task.task for task in changed)
        return (_task(OTHERS, [(named, replace(one, message="")) for one in changed]),)
    return (SubjectFacts(OTHERS, why_not=f"check mode cannot tell: {', '.join(unclear[:5])}"),) if unclear else ()


def _task(id: str, tasks: Sequence[tuple[str, Previewed]]) -> SubjectFacts:
    changed = [one for one in tasks if one[1].status == "changed"]
    title = (changed or tasks)[0][0]
    if not changed and any(task.message.startswith("not previewable") for _, task in tasks):
        return SubjectFacts(id, why_not=f"{title}: check mode cannot tell")
    facts: dict[str, object] = {"task": title, "changed": bool(changed)}
    diff = "".join(task.diff for _, task in changed)
    if diff:
        facts["diff"] = diff[:_LONGEST_DIFF]
    return SubjectFacts(id, facts, frozenset({"diff"} - facts.keys()))


def _previewed(check: str, preview: Preview) -> Cell:
    facts = {
        "tasks": len(preview.tasks),
        "changed": [task.task for task in preview.tasks if task.status == "changed"],
        "failed": [task.task for task in preview.tasks if task.status == "failed"],
        "not_previewable": [task.task for task in preview.tasks if task.message.startswith("not previewable")],
    }
    evidence = "".join(f"--- {task.task}\n{task.diff}\n" for task in preview.tasks if task.diff)
    if not preview.tasks:
        return Cell(check, None, Outcome.SKIPPED, message="the content does not address this server", facts=facts)
    if facts["failed"]:
        why = next((task.message for task in preview.tasks if task.status == "failed" and task.message), "")
        first = facts["failed"][0]  # type: ignore[index]
        return Cell(check, None, Outcome.FAILED, message=f"{first}: {why}", facts=facts, evidence=evidence)
    if facts["not_previewable"] and not facts["changed"]:
        why = f"check mode cannot tell: {', '.join(facts['not_previewable'][:5])}"  # type: ignore[index]
        return Cell(check, None, Outcome.NOT_MEASURED, message=why, facts=facts, evidence=evidence)
    return Cell(check, None, Outcome.OK, facts=facts, evidence=evidence)
