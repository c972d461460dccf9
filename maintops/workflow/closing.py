"""A person closes a follow-up."""

from __future__ import annotations

from datetime import datetime

from maintops.domain.followups import FollowUp, FollowUpState, close
from maintops.domain.ports import Store
from maintops.errors import UsageError


def close_followup(store: Store, prefix: str, by: str | None, note: str | None, now: datetime) -> FollowUp:
    """Closes one.

    Raises UsageError where nobody signs for it, where no record proves it done and no note says why it may be closed
    all the same, or where it is closed already.
    """
    found = store.followup(prefix)
    if not by:
        raise UsageError("who closes it? Give --by ENGINEER (or set MAINTOPS_BY)")

    def change(one: FollowUp) -> FollowUp:
        if one.state is FollowUpState.CLOSED:
            raise UsageError(f"follow-up {one.id} is closed already, by {one.closed_by}")
        if one.state is FollowUpState.OPEN and not note:
            raise UsageError(
                f"follow-up {one.id}: no record shows its finding gone. Run the check again, "
                "or say with --note why it may be closed all the same"
            )
        return close(one, by, note, now)

    return store.change_followup(found.id, change)
