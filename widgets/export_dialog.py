"""Export: where, what and in which units; the files that result; progress; how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.export import MAX_STRENGTH, ExportOptions
from engine.types import Progress
from widgets.export_choices import (
    COARSE_HINT,
    DETAIL_LEVEL,
    EXPRESSIONS,
    MAPS,
    MESHES,
    UNITS,
    choice_box,
    question,
    size_text,
    strength_box,
)
from widgets.style import GAP_PX, MARGIN_PX
from widgets.work_dialog import WorkDialog, button, file_table

_WARNING_COLOUR = "#e8b04a"


class ExportDialog(WorkDialog):
    """Asks and shows; the controller answers every ``changed`` with ``set_files`` and does the writing."""

    changed = Signal()  # folder, name or an option
    export_requested = Signal(tuple)  # with the names that the user agreed to replace
    show_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export")
        self._options = ExportOptions()
        self._existing: tuple[str, ...] = ()
        self._files_known, self._folder_usable = False, True
        self._build_form()
        self._build_files()
        self._build_buttons()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        layout.setSpacing(GAP_PX)
        layout.addWidget(self._form)
        layout.addWidget(self._files, 1)
        layout.addWidget(self._summary)
        layout.addWidget(self._bar)
        layout.addWidget(self._message)
        layout.addWidget(self._hint)
        layout.addLayout(self._buttons)
        self.resize(600, 640)
        self._enter("edit")

    def options(self) -> ExportOptions:
        """What is chosen."""
        return replace(
            self._options,
            mesh=self._mesh.currentData(),
            subdivisions=self._subdivisions.currentIndex(),
            expression=self._expression.currentData(),
            texture=self._texture.isChecked(),
            maps=self._maps.currentData(),
            units=self._units.currentData(),
            detail_strength=self._strength.value() / 100,
            glb=self._glb.isChecked(),
        )

    def folder(self) -> Path:
        """Where to write."""
        return Path(self._folder.text().strip()).expanduser()

    def name(self) -> str:
        """First part of all file names."""
        return self._name.text().strip()

    def set_choices(self, options: ExportOptions, folder: Path, name: str) -> None:
        """Show these choices, silently."""
        self._options = options
        for widget in self._inputs:
            widget.blockSignals(True)
        self._folder.setText(str(folder))
        self._name.setText(name)
        self._subdivisions.setCurrentIndex(options.subdivisions)
        self._texture.setChecked(options.texture)
        self._glb.setChecked(options.glb)
        self._strength.setValue(round(100 * options.detail_strength))
        choices = (
            (self._mesh, options.mesh),
            (self._expression, options.expression),
            (self._maps, options.maps),
            (self._units, options.units),
        )
        for combo, value in choices:
            combo.setCurrentIndex(max(combo.findData(value), 0))
        for widget in self._inputs:
            widget.blockSignals(False)
        self._update_form()

    def set_triangles(self, counts: Sequence[int]) -> None:
        """Number of triangles after 0, 1, 2 and 3 subdivisions."""
        current = self._subdivisions.currentIndex()
        with QSignalBlocker(self._subdivisions):
            self._subdivisions.clear()
            for level, count in enumerate(counts):
                self._subdivisions.addItem(f"{level}:  {count:,} triangles")
            self._subdivisions.setCurrentIndex(max(current, 0))

    def set_texture_size(self, pixels: int) -> None:
        """Side of the texture, px."""
        self._texture.setText(f"&Photo as JPEG, {pixels:,} x {pixels:,}, with its material file")

    def set_ready_maps(self, ready: int, total: int) -> None:
        """How many key maps are computed; an export of all of them makes the others first."""
        row = self._maps.findData("all")
        missing = total - ready
        self._maps.setItemText(row, MAPS[row][1] + (f": {missing} of them are made first" if missing > 0 else ""))

    def set_unknown_files(self) -> None:
        """Say that the files are being worked out; exporting has to wait for them."""
        self._files_known = False
        self._summary.setText("Working out the files…")
        self._update_buttons()

    def set_files(
        self,
        files: Sequence[tuple[str, int]],
        existing: Sequence[str],
        free_bytes: int | None,
        *,
        permitted: bool = True,
    ) -> None:
        """List what would be written.

        Args:
            files: names and bytes.
            existing: names of those that would be replaced.
            free_bytes: left on that disk, None where unknown.
            permitted: False where the user may write nothing in that folder.
        """
        self._existing, self._files_known = tuple(existing), True
        self._folder_usable = permitted and free_bytes != 0
        self._files.clear()
        present = set(existing)
        for name, size in files:
            item = QTreeWidgetItem([name, size_text(size), "replaces a file" if name in present else ""])
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._files.addTopLevelItem(item)
        total = sum(size for _, size in files)
        text = f"{len(files)} {'file' if len(files) == 1 else 'files'}, about {size_text(total)}"
        if free_bytes is not None:
            text += f"; {size_text(free_bytes)} free there"
        self._summary.setText(text)
        if self._state == "edit":
            self._warn(total, free_bytes, permitted)
        self._update_buttons()

    def ask_to_replace(self, existing: Sequence[str]) -> None:
        """Ask whether these files may go; only then ``export_requested`` follows."""
        self._existing = tuple(existing)
        self._enter("confirm")
        self._say(*question(self._existing), _WARNING_COLOUR)

    def set_progress(self, progress: Progress) -> None:
        """Show the running export."""
        self._show_progress("running", progress)

    def show_cancelled(self) -> None:
        """Back to the choices; nothing was written."""
        self._enter("edit")
        self._say("Cancelled; nothing was written.")

    def show_done(self, count: int, folder: Path) -> None:
        """All files are there."""
        self._enter("done")
        self._say(f"Exported {count} {'file' if count == 1 else 'files'}.", str(folder))

    def _warn(self, total: int, free_bytes: int | None, permitted: bool) -> None:
        """Say beforehand what will be, or may be, in the way."""
        if not permitted:
            self._say(
                "There is no permission to write to this folder.", "Choose a folder of your own.", _WARNING_COLOUR
            )
        elif free_bytes == 0:
            self._say(
                "Nothing can be written to this folder: no space is free.", "Choose another one.", _WARNING_COLOUR
            )
        elif free_bytes is not None and total > free_bytes:
            self._say("The disk may be too full for this.", "Choose another folder, or export less.", _WARNING_COLOUR)

    def _build_form(self) -> None:
        self._folder = QLineEdit()
        self._folder.setToolTip("Where the files go; a folder that does not exist yet is made")
        browse = button("&Browse…", "Choose the folder", self._browse)
        folder_row = QHBoxLayout()
        folder_row.addWidget(self._folder, 1)
        folder_row.addWidget(browse)
        self._name = QLineEdit()
        self._name.setToolTip("First part of all file names")
        self._mesh = choice_box(MESHES, "Smooth with maps beside it suits renderers; detailed suits printing")
        self._subdivisions = QComboBox()
        self._subdivisions.setToolTip(f"How often every triangle is cut in four; detail needs at least {DETAIL_LEVEL}")
        self._coarse = QLabel(COARSE_HINT)
        self._coarse.setStyleSheet(f"color: {_WARNING_COLOUR};")
        self._expression = choice_box(EXPRESSIONS, "The expression of the mesh; the set numbers its vertices alike")
        self._glb = QCheckBox("&glTF (.glb): the rig in one file")
        self._glb.setToolTip(
            "Smooth mesh, the 51 shapes as shape keys and the texture, in metres, for Blender and all that reads glTF;\n"
            "it opens in the expression chosen above, or neutral"
        )
        self._texture = QCheckBox()
        self._texture.setToolTip("The colours of the photo, laid out for the mesh")
        self._maps = choice_box(
            MAPS, "Displacement maps, 4096 x 4096, for renderers and for Blender's Displacement node"
        )
        self._strength = strength_box(MAX_STRENGTH)
        self._units = choice_box(UNITS, "Millimetres for printing, centimetres for Maya, metres for Blender and Unity")
        self._form = QWidget()
        form = QFormLayout(self._form)
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(GAP_PX)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("&Folder", folder_row)
        label = form.labelForField(folder_row)
        if isinstance(label, QLabel):
            label.setBuddy(self._folder)
        rows = (
            ("&Name", self._name),
            ("&Mesh", self._mesh),
            ("&Subdivision", self._subdivisions),
            ("E&xpression", self._expression),
            ("Rig", self._glb),
            ("Texture", self._texture),
            ("M&aps", self._maps),
            ("&Detail", self._strength),
            ("&Units", self._units),
        )
        for text, widget in rows:
            form.addRow(text, widget)
            if widget is self._subdivisions:
                form.addRow("", self._coarse)
        self._inputs: tuple[QWidget, ...] = (self._folder, *(widget for _, widget in rows))
        for line in (self._folder, self._name):
            line.textChanged.connect(self._on_changed)
        self._mesh.currentIndexChanged.connect(self._on_mesh_chosen)
        for combo in (self._mesh, self._subdivisions, self._expression, self._maps, self._units):
            combo.currentIndexChanged.connect(self._on_changed)
        for check in (self._glb, self._texture):
            check.toggled.connect(self._on_changed)
        self._strength.valueChanged.connect(self._on_changed)

    def _build_files(self) -> None:
        self._files = file_table(["File", "Size", ""], (1, 2))
        self._files.setToolTip("The files that will be written, with about their size")
        self._files.header().setStretchLastSection(False)
        self._files.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._summary = QLabel()
        self._summary.setObjectName("muted")

    def _build_buttons(self) -> None:
        self._show = button("&Show in folder", "Open the folder in the file manager", self.show_requested.emit)
        self._main = button("&Export", "Write the files (Enter)", self._on_main)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(GAP_PX)
        self._buttons.addStretch()
        for one in (self._show, self._back, self._main):
            self._buttons.addWidget(one)

    def _on_changed(self) -> None:
        if self._state == "edit":
            self._say("")
        self._update_form()
        self._update_buttons()
        self.changed.emit()

    def _on_mesh_chosen(self) -> None:
        """Detail as geometry is what was asked for, so the mesh becomes fine enough to hold it."""
        if self._is_coarse():
            with QSignalBlocker(self._subdivisions):
                self._subdivisions.setCurrentIndex(DETAIL_LEVEL)

    def _is_coarse(self) -> bool:
        return self._mesh.currentData() == "displaced" and self._subdivisions.currentIndex() < DETAIL_LEVEL

    def _update_form(self) -> None:
        """The strength matters where the files hold detail; a mesh that cannot hold it is said."""
        self._strength.setEnabled(self._mesh.currentData() == "displaced" or self._maps.currentData() != "none")
        self._coarse.setVisible(self._is_coarse())

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Export to", self._folder.text())
        if chosen:
            self._folder.setText(chosen)

    def _on_main(self) -> None:
        if self._state == "done":
            self.accept()
        elif self._state == "edit" and self._existing:
            self.ask_to_replace(self._existing)
        else:
            self.export_requested.emit(self._existing if self._state == "confirm" else ())

    def _enter(self, state: str) -> None:
        self._state = state
        self._form.setEnabled(state == "edit")
        self._bar.setVisible(state == "running")
        self._show.setVisible(state == "done")
        self._back.setVisible(state != "done")
        self._back.setEnabled(True)
        self._back.setText("&Keep them" if state == "confirm" else "&Cancel")
        self._main.setText({"confirm": "&Replace", "done": "&OK"}.get(state, "&Export"))
        self._say("")
        self._update_buttons()
        # Replacing wants a deliberate choice: there Enter keeps the files.
        default = self._main if state in ("edit", "done") else self._back
        default.setDefault(True)
        if self.isVisible():
            default.setFocus()

    def _update_buttons(self) -> None:
        complete = bool(self._files_known and self._folder_usable and self.name() and self._folder.text().strip())
        self._main.setEnabled(self._state in ("confirm", "done") or (self._state == "edit" and complete))
