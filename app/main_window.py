"""The main window: widgets, controllers and the wires between them; orderly close."""

from __future__ import annotations

import gc
import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QLabel, QMainWindow, QMenu, QWidget

from app import actions, incoming, wording
from app.action_states import ActionStates
from app.detail_controller import DetailController
from app.dock_room import DockRoom
from app.engine_service import EngineService
from app.engine_thread import EngineThread, Job, Lane
from app.expression_controller import ExpressionController
from app.fade_controller import FadeController
from app.hover_controller import HoverController
from app.pack_controller import TITLES, PackController
from app.photo_controller import PhotoController, reprojected_landmarks
from app.points_controller import PointsController
from app.problems import ProblemReporter
from app.recent import RecentPhotos
from app.session import Session
from app.shown_face import ShownFace
from app.view_controller import ViewController
from app.window_commands import WindowCommands
from engine.errors import AppError
from engine.mesh_lines import lines_over_photo
from engine.types import FaceAsset, Photo, Progress
from widgets.colour_legend import ColourLegend
from widgets.detail_panel import DetailPanel
from widgets.elided_label import ElidedLabel
from widgets.expression_panel import ExpressionPanel
from widgets.fade_bar import FadeBar
from widgets.overlay import OverlayCard
from widgets.photo_panel import PhotoPanel
from widgets.progress_bar import WorkBar
from widgets.view_panel import ViewPanel
from widgets.viewport import Viewport

if TYPE_CHECKING:
    from engine.packs.pack import ModelPack

_TITLE = "Detailed Face"
_SIZE = (1360, 880)
_SIDE_WIDTHS = (330, 350)
_LEFT_HEIGHTS = (400, 400)
_PAINT_LIMIT_MS = 3000
_STATE_VERSION = 1  # of the docks: raise it when docks come or go
_BY_HAND = "Place points by hand"
_INVITATION = "Open a photo of a face to begin."

_log = logging.getLogger("detailed_face")


class MainWindow(QMainWindow):
    """Viewport in the middle, photo on the left, expressions on the right, view and detail below the photo."""

    first_painted = Signal()
    ready = Signal()  # once, soon after the first paint: photos may come

    def __init__(self, engine: EngineService, settings: QSettings, camera_file: Path | None = None) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle(_TITLE)
        self.setAcceptDrops(True)
        self.resize(*_SIZE)
        self.settings = settings
        self.pack_title = TITLES.get(engine.pack_name, engine.pack_name)
        self.session = Session(self)
        self.engine_thread = EngineThread(self)
        self.map_scale_mm: float | None = None
        self.stopped_in_time = True
        self.engine = engine
        self._painted = False
        self.recent = RecentPhotos(settings, self)
        self.problems = ProblemReporter(self)
        self._points_due = QTimer(self, singleShot=True, interval=0)  # after the face itself
        self._points_due.timeout.connect(self._show_points)
        self._make_widgets()
        self.shown_face = ShownFace(self.session, self.engine_thread, self)
        self.expressions = ExpressionController(self.session, parent=self)
        self.photos = PhotoController(self.session, engine, self.engine_thread, self)
        self.points = PointsController(self.session, engine, self.engine_thread, self.photos, self.photo_panel, self)
        undo_stack = self.expressions.undo_stack
        self.detail = DetailController(
            self.session, self.engine_thread, self.shown_face, self.detail_panel, undo_stack, self
        )
        self.hover = HoverController(self.session, self.shown_face, self.viewport, self.detail_panel, self)
        self.views = ViewController(self.session, self.shown_face, self.viewport, self)
        self.fade = FadeController(self.session, self.fade_bar, self)
        self.packs = PackController(engine, self.engine_thread, self, settings)
        self.packs.changed.connect(self._on_pack_changed)
        self.packs.said.connect(self.say)
        self.packs.failed.connect(self.problems.report)
        self.commands = WindowCommands(self, camera_file)
        self._make_menus()
        self._connect_session()
        self._connect_widgets()
        self._restore()
        self._on_face_changed(None)

    def say(self, sentence: str) -> None:
        """Show one sentence in the status line."""
        self.message.set_sentence(sentence)

    def _say_what_is_shown(self) -> None:
        photo, face = self.session.photo, self.session.face
        if photo is not None and (face is None or photo is not face.photo):
            self.say(f"{self.commands.note_on(photo)}Making a face of {photo.name} …")
        elif face is not None:
            self.say(f"{self.commands.note_on(face.photo)}{wording.describe_face(face)}")
        else:
            self.say(_INVITATION)

    def _make_widgets(self) -> None:
        self.viewport = Viewport()
        self.card = OverlayCard(self.viewport)
        self.legend = ColourLegend(self.viewport)
        self.fade_bar = FadeBar(self.viewport, self.legend)
        self.setCentralWidget(self.viewport)
        self.photo_panel = PhotoPanel(self)
        self.view_panel = ViewPanel()
        self.detail_panel = DetailPanel(self)
        for late in (self.photo_panel, self.detail_panel):
            late.hide()  # until pyqtgraph is there
        self.expression_panel = ExpressionPanel()
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        self.docks = {
            "photo": self._dock("Photo", None, left),
            "view": self._dock("View", self.view_panel, left),
            "detail": self._dock("Detail", None, left),
            "expressions": self._dock("Expressions", self.expression_panel, right),
        }
        self.tabifyDockWidget(self.docks["view"], self.docks["detail"])
        self.docks["view"].raise_()
        self.resizeDocks([self.docks["photo"], self.docks["expressions"]], _SIDE_WIDTHS, Qt.Orientation.Horizontal)
        self.resizeDocks([self.docks["photo"], self.docks["view"]], _LEFT_HEIGHTS, Qt.Orientation.Vertical)
        self.dock_room = DockRoom(self, self.docks, self.viewport)
        self.message, self.work, self.pack_label = ElidedLabel(), WorkBar(), QLabel(self.pack_title)
        self.pack_label.setToolTip("The face model in use")
        self.statusBar().addWidget(self.message, 1)
        self.statusBar().addPermanentWidget(self.work)
        self.statusBar().addPermanentWidget(self.pack_label)
        self.statusBar().setSizeGripEnabled(False)

    def _dock(self, title: str, widget: QWidget | None, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(f"{title.lower()}_dock")
        self._fill_dock(dock, widget if widget is not None else QWidget())
        self.addDockWidget(area, dock)
        return dock

    def _fill_dock(self, dock: QDockWidget, widget: QWidget) -> None:
        widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        dock.setWidget(widget)
        widget.show()

    def _make_menus(self) -> None:
        self._samples = QMenu("Open &Sample", self)
        self._samples.aboutToShow.connect(self._fill_samples)
        self._recent_menu = QMenu("Open &Recent", self)
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        panels = QMenu("&Panels", self)
        for dock in self.docks.values():
            panels.addAction(dock.toggleViewAction())
        submenus = {
            actions.SAMPLES: self._samples,
            actions.RECENT: self._recent_menu,
            actions.PANELS: panels,
            actions.FACE_MODEL: self.packs.menu,
        }
        self.actions_by_key = actions.build_actions(self, self.commands.handlers(), submenus)
        self.action_states = ActionStates(
            self.actions_by_key, self.session, self.points, self.expressions.undo_stack, self
        )

    def _connect_session(self) -> None:
        session = self.session
        session.photo_changed.connect(self._on_photo_changed)
        session.face_changed.connect(self._on_face_changed)
        session.weights_changed.connect(self.expression_panel.set_weights)
        session.view_changed.connect(self.view_panel.set_view)
        for change in (session.view_changed, session.face_changed):
            change.connect(self._update_legend)
        session.progress_changed.connect(self._on_progress_changed)
        self.photos.failed.connect(self._on_photo_failed)
        self.points.failed.connect(self.problems.report)
        self.points.refused.connect(self.say)
        self.points.editing_changed.connect(self._on_editing_changed)
        self.photos.opened.connect(self.recent.add)

    def _connect_widgets(self) -> None:
        panel = self.expression_panel
        panel.weight_edited.connect(self.expressions.edit_weight)
        panel.edit_finished.connect(self.expressions.end_edit)
        panel.edit_finished.connect(self.views.let_go)
        panel.preset_chosen.connect(self.expressions.apply_preset)
        panel.reset_requested.connect(self.expressions.reset)
        panel.photo_expression_requested.connect(self.expressions.apply_photo_expression)
        panel.symmetry_toggled.connect(self.expressions.set_symmetric)
        self.view_panel.view_edited.connect(self.session.set_view)
        self.view_panel.camera_requested.connect(self.views.look_from)
        self.viewport.camera_edited.connect(self.session.set_camera)
        self.viewport.view_edited.connect(self.views.take_view)
        self.viewport.camera_requested.connect(self.views.look_from)
        self.viewport.failed.connect(self._on_no_opengl)
        self.viewport.painted.connect(self._on_painted)
        for overlay in (self.card.centre, self.legend.place, self.fade_bar.place):
            self.viewport.resized.connect(overlay)
        self.photo_panel.photos_dropped.connect(self.commands.open_first)
        self.photo_panel.open_requested.connect(self.commands.choose_photo)
        self.photo_panel.face_picked.connect(self.photos.pick_face)
        self.work.cancel_requested.connect(self.photos.cancel)
        self.card.chosen.connect(self.commands.press)

    def showEvent(self, event: QShowEvent) -> None:
        """Go on without the first paint where nothing can be painted, so that the window says why."""
        super().showEvent(event)
        QTimer.singleShot(_PAINT_LIMIT_MS, self, self._on_painted)

    @Slot()
    def _on_painted(self) -> None:
        if not self._painted:
            self._painted = True
            self.viewport.painted.disconnect(self._on_painted)
            self.first_painted.emit()
            QTimer.singleShot(0, self, self._after_first_paint)

    @Slot()
    def _after_first_paint(self) -> None:
        """Everything that the first picture of the window does not need."""
        # On this thread: an import in another one makes PySide create types, while Qt looks types up here without the
        # interpreter's lock, and that crashes (seen with PySide 6.11). The engine does not work yet, so the pause is
        # not felt.
        importlib.import_module("pyqtgraph")
        self._fill_dock(self.docks["photo"], self.photo_panel)
        self._fill_dock(self.docks["detail"], self.detail_panel)
        self.viewport.warm_up()
        job = Job(self.engine.warm_up(), Lane.WARM_UP)
        job.finished.connect(self._on_warm)
        self.engine_thread.submit(job)  # a failure here comes again, with its dialog, when a photo is opened
        self.ready.emit()

    @Slot(object)
    def _on_warm(self, pack: ModelPack) -> None:
        self.pack_title, self.map_scale_mm = pack.title, pack.map_scale_mm
        self.pack_label.setText(pack.title)
        self.viewport.expect(pack.topology)
        gc.freeze()  # what is loaded stays: a search for garbage in all of it would stop the window for 60 ms

    @Slot(object)
    def _on_pack_changed(self, pack: ModelPack) -> None:
        """Make the shown photo's face again, with the other model or other maps."""
        self._on_warm(pack)
        self.photos.make_again(pack.name)

    @Slot(object)
    def _on_no_opengl(self, error: AppError) -> None:
        _log.warning("%s", error.sentence())
        self.card.show_message(str(error), error.hint)

    @Slot(object)
    def _on_photo_changed(self, photo: Photo | None) -> None:
        self.photo_panel.set_photo(None if photo is None else photo.image)
        self.photo_panel.set_caption("" if photo is None else wording.describe_photo(photo))
        self.photo_panel.set_warnings(())
        self._points_due.start()
        self._say_what_is_shown()

    @Slot(object)
    def _on_photo_failed(self, error: Exception) -> None:
        way_on = (_BY_HAND, self.points.place) if self.points.helps_with(error) else None
        self.problems.report(error, way_on)

    @Slot(bool)
    def _on_editing_changed(self, editing: bool) -> None:
        if editing:
            self.say("Placing points by hand: follow the words below the photo.")
        else:
            self._say_what_is_shown()
        self.dock_room.make_for_photo(editing)
        self._update_card()

    @Slot()
    def _show_points(self) -> None:
        face = self.session.face
        if face is None or self.session.photo is not face.photo:
            return
        self.photo_panel.set_landmarks(face.landmarks)
        self.photo_panel.set_reprojected(reprojected_landmarks(face))
        self.photo_panel.set_mesh_lines(lines_over_photo(face))
        self.photo_panel.set_warnings((*face.warnings, *wording.advice(face)))

    @Slot(object)
    def _on_face_changed(self, face: FaceAsset | None) -> None:
        self._points_due.start()
        self.expression_panel.setEnabled(face is not None)
        self.setWindowTitle(_TITLE if face is None else f"{face.photo.name} - {_TITLE}")
        self._say_what_is_shown()
        self._update_card()

    @Slot()
    def _update_legend(self) -> None:
        self.legend.set_entries(() if self.session.face is None else wording.legend(self.session.view))

    @Slot(object)
    def _on_progress_changed(self, progress: Progress | None) -> None:
        self.work.set_progress(progress)
        self._update_card()

    def _update_card(self) -> None:
        """The card over the viewport: how to begin, or what is being done for the first face."""
        if self.viewport.problem is not None:
            return
        progress = self.session.progress
        if self.session.face is not None:
            self.card.hide()
        elif self.points.is_editing:
            self.card.show_message(_BY_HAND, "The words below the photo say where to click; the face appears here.")
        elif progress is not None:
            photo = self.session.photo
            self.card.show_message(
                f"Making a face of {photo.name}" if photo else "Opening the photo", f"{progress.stage} …"
            )
        else:
            self.card.show_message(
                "Drop a photo of a face here",
                "A frontal, well lit portrait works best. It stays on this computer.",
                (("open", "Open photo…"), ("sample", "Try the sample")),
            )

    @Slot()
    def _fill_samples(self) -> None:
        self._samples.clear()
        try:
            for sample in incoming.samples():
                self._add_photo_action(self._samples, sample.title, sample.path)
        except AppError as error:
            self._samples.addAction(str(error)).setEnabled(False)

    @Slot()
    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for path in self.recent.paths():
            self._add_photo_action(self._recent_menu, path.name, path)
        if self._recent_menu.isEmpty():
            self._recent_menu.addAction("No photos yet").setEnabled(False)
        else:
            self._recent_menu.addSeparator()
            self._recent_menu.addAction("&Clear This List").triggered.connect(self.recent.clear)

    def _add_photo_action(self, menu: QMenu, text: str, path: Path) -> None:
        action = menu.addAction(text.replace("&", "&&"))
        action.setToolTip(str(path))
        action.triggered.connect(lambda _checked=False: self.commands.open_source(path))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Docks that gave way come back where there is room."""
        super().resizeEvent(event)
        self.dock_room.window_resized()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept whatever holds a file or a picture."""
        if incoming.holds_photo(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        sources = incoming.photos_in(event.mimeData())
        if sources:
            event.acceptProposedAction()
            self.commands.open_first(sources)

    def _restore(self) -> None:
        geometry, state = self.settings.value("geometry"), self.settings.value("docks")
        if geometry is not None:
            self.restoreGeometry(geometry)
        if state is not None:
            self.restoreState(state, _STATE_VERSION)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout, stop the engine within its limit, end the helper process."""
        self.points.cancel()  # brings the hidden docks back
        self.settings.setValue("geometry", self.saveGeometry())
        self.settings.setValue("docks", self.saveState(_STATE_VERSION))
        self.settings.sync()
        self.commands.close()
        self.hide()  # gone for the user at once, whatever the running step still needs
        self.stopped_in_time = self.engine_thread.stop()
        self.engine.close()
        super().closeEvent(event)
