"""The stages of a server's change in words for people: the one place where they are told."""

from __future__ import annotations

from maintops.domain.journeys import AFTER, BEFORE, END, HOOKS, SOAKED

_WORDS = {
    BEFORE: "the first look",
    AFTER: "the look after the change",
    SOAKED: "the look after the soak",
    END: "the end of its change",
}
_BEHIND = "/after"


def stage_words(stage: str) -> str:
    """A stage (see maintops.domain.journeys) in words, with its article. Steps keep their ids, and what is owed the
    names under which `maintops obligations` lists it."""
    if stage in HOOKS:
        return f"the hook {stage}"
    if stage.endswith(_BEHIND):
        return f"the look after {stage.removesuffix(_BEHIND)}"
    return _WORDS.get(stage, stage)
