"""The kill switch."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from maintops.changes.desks import Desk
from maintops.domain.holds import Hold
from maintops.errors import StoreError, UsageError


class Holding(Desk):
    """Holding all changes, and letting them go on."""

    def hold(self, why: str, until: datetime | None = None) -> tuple[Hold, str]:
        """Holds all changes, of this house and of all that share its database; the second value says where it could
        not be written (empty: everywhere)."""
        from maintops.files.holding import write_hold

        house, now = self._house, self._house.clock()
        other = self.hold_in_force(now)
        if other is not None and (other.until is None or (until is not None and until < other.until)):
            raise UsageError(f"{other.words()}; that holds longer: lift it first (maintops hold --lift)")
        hold = Hold(f"h{house.new_run_id()[1:]}", self.identity, why, now, until)
        write_hold(hold, house.settings.hold_file)
        try:
            house.store.keep_hold(hold)
        except StoreError as error:
            return hold, str(error)
        return hold, ""

    def lift(self) -> list[Hold]:
        """Lifts every hold; returns them."""
        from maintops.files.holding import read_hold, remove_hold

        house = self._house
        lifted = list(house.store.holds())
        for one in lifted:
            house.store.keep_hold(replace(one, lifted=True))
        file = read_hold(house.settings.hold_file)
        if remove_hold(house.settings.hold_file) and file is not None and file.id not in {one.id for one in lifted}:
            lifted.append(file)
        return lifted
