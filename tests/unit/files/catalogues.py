"""A catalogue of two probes and three parsers, for tests."""

from __future__ import annotations

from maintops.domain.answers import Measured, Skipped
from maintops.probes.contract import Fact, Parameter, Parser, Probe

SMART = Probe(
    "smart",
    "Disks",
    {"passed": Fact("bool", ""), "device": Fact("str", ""), "reallocated_sectors": Fact("int", "")},
    lambda parameters: "smartctl",
    lambda answer, parameters: Measured(),
)
CERTIFICATES = Probe(
    "certificates",
    "Certificates",
    {"days": Fact("int", "")},
    lambda parameters: Skipped("nothing configured"),
    lambda answer, parameters: Measured(),
    parameters={"paths": Parameter([], "where to look"), "most": Parameter(10, ""), "anything": Parameter(None, "")},
)
PARSERS = {
    "text": Parser("text", lambda answer: Measured(), {"text": Fact("str", ""), "status": Fact("int", "")}),
    "json": Parser("json", lambda answer: Measured()),
    "jc:df": Parser("jc:df", lambda answer: Measured()),
}


class FakeCatalogue:
    def probe(self, name: str) -> Probe:
        probes = {"smart": SMART, "certificates": CERTIFICATES}
        if name not in probes:
            raise LookupError(f"there is no probe {name!r}")
        return probes[name]

    def parser(self, name: str) -> Parser:
        if name not in PARSERS:
            raise LookupError(f"there is no parser {name!r}")
        return PARSERS[name]


CATALOGUE = FakeCatalogue()
