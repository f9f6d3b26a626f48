"""What can be chosen about the networks' maps: plain values that the command line and the window pass on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class DetailSwitches:
    """Deviations from the original's way to a map; all off is the original's."""

    preview: bool = False
    """The networks look at half the size: several times faster, coarser."""
    own_positions: bool = False
    """Position maps of the fitted person instead of the shipped ones, which are everybody's."""

    def among(self, offered: Self) -> Self:
        """These switches without those that are not offered."""
        return type(self)(self.preview and offered.preview, self.own_positions and offered.own_positions)


def offered_with(parts: Collection[str]) -> DetailSwitches:
    """The switches that an imported pack with these parts offers (see ``data.pack_files``).

    The unit of the network's position maps is found from the shipped ones: own ones need them, too.
    """
    rig = "rig" in parts
    return DetailSwitches(preview=rig or "single" in parts, own_positions=rig and "position_maps" in parts)
