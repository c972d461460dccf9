"""Stages have words for people, in one place."""

from __future__ import annotations

import pytest

from maintops.domain import journeys
from maintops.domain.stages import stage_words


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (journeys.BEFORE, "the first look"),
        (journeys.AFTER, "the look after the change"),
        (journeys.SOAKED, "the look after the soak"),
        (journeys.END, "the end of its change"),
        ("PT-500", "PT-500"),
        ("PT-500/after", "the look after PT-500"),
        ("drain", "the hook drain"),
        ("undrain", "undrain"),
    ],
)
def test_words(stage: str, words: str) -> None:
    assert stage_words(stage) == words


@pytest.mark.parametrize("hook", journeys.HOOKS)
def test_every_hook_is_called_one(hook: str) -> None:
    assert stage_words(hook) == f"the hook {hook}"
