"""An inventory in words, for the terminal and the import dialog; and the whole import as one job."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from engine.packs.facescape.convert import convert
from engine.packs.facescape.data import default_folder
from engine.packs.facescape.inventory import FOUND, MISSING, WRONG, Finding, Inventory, inventory_steps, take_inventory
from engine.types import Progress

PARTS = {
    "core": "the shapes",
    "model": "the model's data",
    "single": "the network for the photo's own detail",
    "rig": "the network for 20 expressions",
    "position_maps": "the position maps",
}
"""Parts of a pack in the user's words."""
_WIDTH_OF_STATUS = 12


def import_report(folders: Sequence[Path]) -> str:
    """What is in the folders: each file found, missing or wrong, where to get it, what its licence forbids.

    Raises:
        ModelFileError: a folder is not there.
    """
    return report_text(take_inventory(folders))


def report_text(inventory: Inventory) -> str:
    """The inventory as lines for a terminal."""
    width = max(len(finding.spec.name) for finding in inventory.findings) + 2
    lines = ["FaceScape's files:"]
    for finding in inventory.findings:
        start = f"  {finding.status:<{_WIDTH_OF_STATUS}}{finding.spec.name:<{width}}"
        lines.append((start + detail_of(finding, inventory.folders)).rstrip())
    lines += ["", summary_of(inventory), "", "Licences:"]
    licences: dict[str, list[str]] = {}
    for finding in inventory.findings:
        licences.setdefault(finding.spec.licence, []).append(finding.spec.name)
    for licence, names in licences.items():
        lines += [f"  {licence}", f"    ({', '.join(names)})"]
    return "\n".join([*lines, *(f"Note: {note}" for note in inventory.notes)]) + "\n"


def detail_of(finding: Finding, folders: Sequence[Path]) -> str:
    """Where a file is, where to get it, or why it is refused: one line, the most important first.

    Args:
        finding: what became of the file.
        folders: that were searched; the path is given from there.
    """
    if finding.status == FOUND and finding.path is not None:
        return _from(folders, finding.path) + (f" ({finding.why})" if finding.why else "")
    if finding.status == MISSING:
        return f"{'' if finding.spec.required else 'optional; '}get it from {finding.spec.source}"
    if finding.status == WRONG:
        return f"{finding.why} Get it from {finding.spec.source}."
    return finding.why


def _from(folders: Sequence[Path], path: Path) -> str:
    """The path from the name of the searched folder on."""
    for folder in folders:
        if path.is_relative_to(folder) and path != folder:
            return str(Path(folder.name) / path.relative_to(folder))
    return str(path)


def summary_of(inventory: Inventory) -> str:
    """In one sentence: what can be imported, and what is still needed for more."""
    if inventory.model is not None:
        lacking = [f.spec.name for f in inventory.findings if not f.spec.required and f.status != FOUND]
        start = f"The model (version {inventory.model.version}) is complete"
        return f"{start}, without {', '.join(lacking)}." if lacking else f"{start}, with networks and position maps."
    needed = len(inventory.blocking)
    if not inventory.found_any:
        return (
            "None of FaceScape's files was found in these folders." if inventory.folders else "No folder is named yet."
        )
    return f"The model is not complete: {needed} {'file is' if needed == 1 else 'files are'} missing or wrong."


def import_facescape(
    folders: Sequence[Path], folder: Path | None = None
) -> Generator[Progress | str, None, tuple[str, ...]]:
    """Look through the folders and import what is there, as ``main.py --import-facescape`` does.

    Args:
        folders: searched with everything below them.
        folder: of the pack; this user's own where it is None.

    Yields:
        Progress, and between search and conversion once the report as text.

    Returns:
        The parts that were written, keys of ``PARTS``.

    Raises:
        ModelFileError: a folder is not there, the model is incomplete, or a file turned out to be damaged.
        ExportError: the pack's folder takes no files.
    """
    inventory = yield from inventory_steps(folders)
    yield report_text(inventory)
    return (yield from convert(inventory, folder or default_folder()))
