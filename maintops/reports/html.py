"""A run as one HTML file that stands alone: for a browser, for A4 paper, for a mail.

The file asks for nothing (no script, no font, no address; its Content-Security-Policy allows only its own style sheet,
by hash), so nothing that a server wrote can act in it. Text is shown as in `visible`, then escaped by Jinja2.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from maintops.domain.findings import Finding
from maintops.domain.followups import FollowUp
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Run
from maintops.reports.escaping import visible
from maintops.reports.views import page


def html_report(
    run: Run,
    records: Sequence[ServiceRecord],
    *,
    titles: Mapping[str, str],
    findings: Sequence[Finding],
    followups: Sequence[FollowUp],
    now: datetime,
    journal: Sequence[str] = (),
) -> str:
    """The report. `titles` maps check ids to titles; `findings` are those of the run's servers (gone ones too),
    `followups` theirs; `now` is when the report was made; `journal` what else is on record. It encodes to UTF-8."""
    environment = Environment(
        loader=PackageLoader("maintops.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    style = environment.get_template("run.css").render()
    values = page(run, records, titles=titles, findings=findings, followups=followups, now=now, journal=journal)
    sheet = Markup(style)  # noqa: S704  (our own file, and no value is rendered into it)
    text = environment.get_template("run.html.j2").render(style=sheet, digest=_digest(style), **values)
    return text.lstrip()


def _digest(style: str) -> str:
    """The style sheet as a Content-Security-Policy names it: SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _shown(value: Any) -> Any:
    """The last word on every value of the template: a text that a view forgot to make visible is made so here."""
    return visible(value, newlines=True) if isinstance(value, str) and not isinstance(value, Markup) else value
