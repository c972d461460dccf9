"""Safe change as the Python API: plan, approve, run, go on, take back, hold, and pay what is owed.

`House.changes` gives it; everything that the command line does with plans is one of its methods.
"""

from __future__ import annotations

from maintops.changes.debts import Debt, Paid
from maintops.changes.desks import Ask, Confirm, Extras
from maintops.changes.holding import Holding
from maintops.changes.runs import Runs

__all__ = ["Ask", "Changes", "Confirm", "Debt", "Extras", "Paid"]


class Changes(Runs, Holding):
    """Everything that can be done with changes in a house."""
