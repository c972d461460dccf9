"""Cases of the monthly hardware check: storage."""

from __future__ import annotations

from tests.content.cases import Case, check, told

CASES: list[Case] = [
    check(
        "HW-130",
        fires=told(
            "Personalities : [raid1]\n"
            "md0 : active raid1 vdc[1](F) vdb[0]\n      65472 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n"
        ),
        silent=told(
            "Personalities : [raid1]\n"
            "md0 : active raid1 vdc[1] vdb[0]\n      65472 blocks super 1.2 [2/2] [UU]\n\nunused devices: <none>\n"
        ),
        says="md0 is degraded: 1 of 2 devices work",
        severity="critical",
    ),
]
