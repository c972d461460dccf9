"""The kill switch."""

from __future__ import annotations

from contextlib import suppress
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
        other = None
        with suppress(StoreError):  # the kill switch works without the database
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

    def held_now(self) -> Hold | None:
        """The hold that is in force. Raises StoreError, which says that the file does not hold, where the database does
        not answer."""
        try:
            return self.hold_in_force(self._house.clock())
        except StoreError as error:
            file = self._house.settings.hold_file
            told = f"the file {file} does not hold changes; what the database says is not known: {error}"
            raise StoreError(told) from None

    def lift(self) -> tuple[list[Hold], str]:
        """Lifts every hold; returns them, and why those in the database could not be lifted (empty: they were)."""
        from maintops.files.holding import read_hold, remove_hold

        house = self._house
        file = read_hold(house.settings.hold_file)
        lifted = [file] if remove_hold(house.settings.hold_file) and file is not None else []
        try:
            kept = house.store.holds()
            for one in kept:
                house.store.keep_hold(replace(one, lifted=True))
        except StoreError as error:
            return lifted, str(error)
        known = {one.id for one in lifted}
        return [*lifted, *(one for one in kept if one.id not in known)], ""
