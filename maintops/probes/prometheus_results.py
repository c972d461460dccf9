"""A text file in Prometheus' exposition format, as programs leave for node_exporter: one subject per sample.

Which value is a finding the format does not say: the check's own rules do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from maintops.domain.answers import Answer, Measured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import present, refusal, text_of
from maintops.probes.contract import Fact, Parser


def _read(answer: Answer) -> Reading:
    from prometheus_client.parser import text_string_to_metric_families

    text = text_of(answer)
    if (why := refusal(answer)) is not None:
        return why
    subjects: dict[str, SubjectFacts] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = _name(sample.name, sample.labels)
                if name in subjects:
                    raise UnreadableAnswer(f"it gives {name[:200]} twice")
                facts = present(
                    metric=sample.name,
                    labels=dict(sample.labels),
                    value=float(sample.value) if math.isfinite(sample.value) else None,
                    kind=family.type,
                    help=family.documentation or None,
                )
                subjects[name] = SubjectFacts(name, facts, frozenset({"help"} - facts.keys()))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise UnreadableAnswer(f"it is not in Prometheus' text format: {error}"[:300]) from error
    if not subjects:
        raise UnreadableAnswer("it holds no sample in Prometheus' text format")
    return Measured(tuple(subjects.values()))


def _name(metric: str, labels: Mapping[str, str]) -> str:
    told = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{metric}{{{told}}}" if told else metric


PARSER = Parser(
    "prometheus",
    _read,
    {
        "metric": Fact("str", "the metric's name"),
        "labels": Fact("dict", "the sample's labels"),
        "value": Fact("float", "the sample's value; NaN and infinities are not measured"),
        "kind": Fact("str", "gauge, counter, …"),
        "help": Fact("str", "the metric's own description"),
    },
)
