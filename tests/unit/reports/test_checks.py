"""The page that tells people what is checked: a checklist's words in Markdown, and they stay words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.changes import Action, ChangePolicy, ChangeStep, Hook, Reboot, Risk, Share
from maintops.domain.checklists import Cadence, Check, Checklist, FollowUpTemplate, Rule, Step, StepReading
from maintops.domain.outcomes import Severity
from maintops.reports.checks import checks_page, deed_words

FULL = Rule("used > 90", Severity.CRITICAL, "{{ used }}", FollowUpTemplate("Make room", "system", "disk", "full-disk"))
WARM = Rule("used > 80", Severity.WARNING, "{{ used }}")
DISKS = Check("DA-010", "Disks have room", "A full disk stops all.", "Delete logs.", probe="disks", rules=(FULL, WARM))
FILTERS = Step("OV-910", "Filters", "Clean them.", choices=("clean", "missing"), evidence="photo")
WATTS = Step("OV-920", "Power", "Read it.", reading=StepReading("W", 0, 3000), evidence="reading")
DAILY = Checklist(
    "daily", "Daily check", "inspection", Cadence("day", "week"), "all", (DISKS,), parameters={"most": 90, "paths": []}
)
YEARLY = Checklist(
    "yearly",
    "Overhaul",
    "inspection",
    Cadence("year", "year"),
    "all",
    (DISKS,),
    (FILTERS, WATTS),
    item="HM-06",
    includes=("daily",),
)

UPDATE = ChangeStep(
    "PT-500",
    "Updated",
    "Holes.",
    "Undo it.",
    act=Action(playbook="/srv/playbooks/update_all.yml"),
    precheck=("DA-010",),
    postcheck=("DA-010", "DA-020"),
    rollback=Action(fabric="/srv/checklists/code/back.py:undo"),
)
LOOK = Step("PT-510", "Looked at", "Look.", precheck=("DA-010",), rollback="Look *away*.")
BOOT = ChangeStep("PT-520", "Booted", reboot=Reboot.IF_NEEDED, irreversible=True)
PATCH = Checklist(
    "patch",
    "Patch",
    "software-upgrade",
    Cadence("month", "month"),
    "all",
    (DISKS,),
    (LOOK,),
    file="/srv/checklists/patch.yml",
    changes=(UPDATE, BOOT),
    change=ChangePolicy(
        waves=(Share(count=1), Share(percent=100)),
        soak=600,
        budget=2,
        risk=Risk("It *breaks*.", "Undo it."),
        drain=Hook("drain"),
        people=("engineer",),
        console_required=True,
    ),
    order=("PT-500", "PT-510", "PT-520"),
)


def page(*checklists: Checklist) -> list[str]:
    text = checks_page(checklists, "maintops checklist document")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    return text.splitlines()


def test_it_says_how_it_is_made_and_how_much_there_is() -> None:
    lines = page(DAILY, YEARLY)
    assert lines[0] == "# What is checked"
    assert lines[2] == "3 checks and steps. This page is made from the checklists: `maintops checklist document`."
    assert lines[4:8] == [
        "| checklist | item | service | how often | checks | steps by hand |",
        "|---|---|---|---|---|---|",
        "| [daily](#daily) |  | inspection | core servers every day, others every week | 1 | 0 |",
        "| [yearly](#yearly) | HM-06 | inspection | every year | 1 | 2 |",
    ]


def test_a_check_has_its_reason_its_question_its_remedy_and_its_rules() -> None:
    lines = page(DAILY)
    begin = lines.index("### DA-010 Disks have room")
    assert lines[begin:] == [
        "### DA-010 Disks have room",
        "",
        "- Why: A full disk stops all.",
        "- Asked: probe `disks`",
        "- To do: Delete logs.",
        "- **critical** when `used > 90` → `Make room` (skill system, part disk, knowledge full-disk)",
        "- **warning** when `used > 80`",
    ]
    assert "`most` (`90`), `paths` (`[]`)." in lines


def test_a_step_has_what_a_person_is_asked() -> None:
    lines = page(YEARLY)
    assert "- Asked: by hand: Clean them. (clean or missing, with a photo as evidence)" in lines
    assert "- Asked: by hand: Read it. (a number of W from 0 to 3000)" in lines


def test_what_is_included_stands_there_once() -> None:
    lines = page(DAILY, YEARLY)
    assert lines.count("### DA-010 Disks have room") == 1
    assert "Everything in [daily](#daily) is part of it." in lines
    assert page(YEARLY).count("### DA-010 Disks have room") == 1, "where the other one is not on the page, it is here"


def test_steps_that_change_servers_stand_in_their_order_with_what_is_around_them() -> None:
    lines = page(PATCH)
    assert lines[2].startswith("4 checks and steps. ")
    assert "| [patch](#patch) |  | software-upgrade | every month | 1 | 1, and 2 by machine |" in lines
    assert lines[lines.index("### PT-500 Updated") :] == [
        "### PT-500 Updated",
        "",
        "- Why: Holes.",
        "- Done: playbook ../playbooks/update\\_all.yml",
        "- Must pass before: DA-010",
        "- Must pass after: DA-010, DA-020",
        "- Taken back: by fabric code/back.py:undo",
        "- To do: Undo it.",
        "",
        "### PT-510 Looked at",
        "",
        "- Asked: by hand: Look. (done)",
        "- Must pass before: DA-010",
        "- Taken back: Look \\*away\\*.",
        "",
        "### PT-520 Booted",
        "",
        "- Done: reboot if-needed",
        "- Taken back: never",
    ]
    assert page(PATCH, PATCH_TOO).count("### PT-500 Updated") == 1, "what is included stands there once"


PATCH_TOO = Checklist(
    "too", "T", "inspection", Cadence("day", "day"), "all", (), includes=("patch",), changes=PATCH.changes
)


def test_how_servers_are_changed() -> None:
    lines = page(PATCH)
    begin = lines.index("It changes servers:")
    assert lines[begin + 1 : lines.index("### DA-010 Disks have room") - 1] == [
        "",
        "- waves: 1, 100%; 10 min 0 s after each",
        "- servers that may fail: 2, 0 in the first wave",
        "- packages: pinned",
        "- approval: required, for 168 h 0 min",
        "- before and after: drain",
        "- risk: It \\*breaks\\*.",
        "- if it goes wrong: Undo it.",
        "- people: engineer",
        "- console: must answer before a reboot",
    ]
    assert "It changes servers:" not in page(YEARLY)


def test_deeds_in_words() -> None:
    deeds = {
        "role web": Action(role="web"),
        "tasks Look, without a name": Action(tasks=({"name": "Look"}, {"debug": {}})),
    }
    for words, action in deeds.items():
        assert deed_words(action, "/srv/c.yml") == words


def test_every_kind_of_question_is_named() -> None:
    kinds = {"command": "cat /proc/mdstat", "playbook": "/srv/site.yml", "role": "upkeep"}
    for kind, value in kinds.items():
        asked = Check("DA-020", "One", **{kind: value})  # type: ignore[arg-type]  # each of them takes text
        one = Checklist("one", "One", "inspection", Cadence("day", "day"), "all", (asked,))
        assert f"- Asked: {kind} `{value}`" in page(one)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Z", "Cc"]), min_size=1, max_size=40))
def test_words_stay_words(text: str) -> None:
    check = Check("DA-010", text, text, text, command=text, rules=(Rule(text, Severity.WARNING, text),))
    lines = page(Checklist("daily", text, "inspection", Cadence("day", "day"), "all", (check,), parameters={"a": text}))
    assert len(lines) == len(
        page(
            Checklist(
                "daily",
                "x",
                "inspection",
                Cadence("day", "day"),
                "all",
                (Check("DA-010", "x", "x", "x", command="x", rules=(Rule("x", Severity.WARNING, "x"),)),),
                parameters={"a": "x"},
            )
        )
    )
    heading = next(line for line in lines if line.startswith("### DA-010 "))
    bare = heading
    for mark in ("\\\\", "\\|", "\\<", "\\`", "\\*", "\\_"):
        bare = bare.replace(mark, "")
    assert not {"|", "<", "`", "*", "_"} & set(bare)
    code = next(line for line in lines if line.startswith("- Asked: command "))
    assert code.count("`") == 2
