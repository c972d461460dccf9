"""Checklists for tests of the command line, and how to vary what they find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.lab.running import Desk

ROUND = """\
checklist: round
title: A round through the house
service: inspection
cadence: {every: day}
parameters: {alarm: false, full: 90}
checks:
  - id: AC-010
    title: Somebody is at home
    tags: [people]
    command: echo home
    parse: text
  - id: AC-020
    title: Disks have room
    why: A full disk stops everything.
    tags: [disks]
    command: |-
      echo '[{"name": "sda", "used": 97}, {"name": "sdb", "used": 5}]'
    parse: json
    subject: name
    rules:
      - when: parameters.alarm and used > parameters.full
        severity: critical
        finding: "{{ name }} is {{ used }} % full"
        follow_up: {title: "Make room on {{ name }}", skill: system, part: disk}
      - {when: used > 200, severity: warning, finding: never}
  - id: AC-030
    title: Nobody has left the door open
    tags: [people]
    command: exit 3
    rules:
      - {when: parameters.alarm and exit_status == 3, severity: warning, finding: The door is open}
"""
"""Three checks. AC-020 has two subjects; its critical finding and AC-030's warning come with `alarm`."""

CHECKS = ["AC-010", "AC-020", "AC-030"]


def alarmed(desk: Desk, *names: str) -> dict[str, Mapping[str, Any]]:
    """Servers of the fleet for an inventory, on which ROUND finds something."""
    return {name: {**desk.fleet.variables(name), "maintops_alarm": True} for name in names}


def furnish(desk: Desk) -> None:
    """Puts ROUND into `checklists/`, where it is found by its name."""
    (desk.here / "checklists").mkdir()
    (desk.here / "checklists/round.yml").write_text(ROUND)
