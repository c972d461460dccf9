from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maintops.domain.answers import Measured
from maintops.errors import UsageError
from maintops.probes.catalogue import BUILT_IN, builtin
from maintops.probes.contract import Parser, Probe

FAN = Probe("fan", "Fans", {}, lambda parameters: "true", lambda answer, parameters: Measured(()))
CSV = Parser("csv", lambda answer: Measured(()))


def test_a_probe_is_found_by_its_name():
    assert builtin().probe("stuck-processes").name == "stuck-processes"
    assert set(builtin().probes) == set(BUILT_IN)
    assert len(builtin().probes) == len(BUILT_IN)


@pytest.mark.parametrize(
    ("name", "hint"), [("smrt", "did you mean smart?"), ("qqq", "'qqq'$"), ("file_systems", "file-systems")]
)
def test_an_unknown_probe_is_an_error_that_helps(name: str, hint: str):
    assert name not in builtin().probes
    with pytest.raises(LookupError, match=hint):
        builtin().probe(name)


def test_parsers_are_found_jc_s_too():
    assert builtin().parser("lines").name == "lines"
    assert builtin().parser("jc:df").name == "jc:df"
    with pytest.raises(LookupError, match="did you mean json"):
        builtin().parser("jsn")


def test_plugins_are_found_beside_ours():
    catalogue = builtin().with_plugins({"fan": FAN}, {"csv": CSV})
    assert (catalogue.probe("fan"), catalogue.parser("csv")) == (FAN, CSV)
    assert catalogue.probe("swap").name == "swap"
    assert len(catalogue.probes) == len(list(catalogue.probes)) == len(BUILT_IN) + 1
    with pytest.raises(LookupError, match="did you mean csv"):
        catalogue.parser("cvs")
    with pytest.raises(LookupError):
        builtin().probe("fan")


def test_plugins_come_one_after_the_other():
    catalogue = builtin().with_plugins({"fan": FAN}, {}).with_plugins({"psu": replace(FAN, name="psu")}, {})
    assert (catalogue.probe("fan").name, catalogue.probe("psu").name) == ("fan", "psu")


@pytest.mark.parametrize(
    ("probes", "parsers", "words"),
    [
        ({"swap": replace(FAN, name="swap")}, {}, "'swap'.*maintops.probes.swap"),
        ({"file-systems": replace(FAN, name="file-systems")}, {}, "maintops.probes.file_systems"),
        ({}, {"json": replace(CSV, name="json")}, "'json'.*maintops.probes.commands"),
        ({}, {"jc:df": replace(CSV, name="jc:df")}, "'jc:df'.*maintops.probes.commands"),
        ({"fans": FAN}, {}, "'fans'.*'fan'"),
        ({"fan": 5}, {}, "'fan' is a int, not a probe"),
        ({"fan": CSV}, {}, "'fan' is a Parser, not a probe"),
        ({}, {"csv": FAN}, "'csv' is a Probe, not a parser"),
    ],
)
def test_a_plugin_that_does_not_fit_is_refused(probes: dict[str, Any], parsers: dict[str, Any], words: str):
    with pytest.raises(UsageError, match=words):
        builtin().with_plugins(probes, parsers)


def test_two_plugins_of_one_name_are_refused():
    with pytest.raises(UsageError, match="another plug-in"):
        builtin().with_plugins({"fan": FAN}, {}).with_plugins({"fan": FAN}, {})
