"""The start of the window, in a process of its own where the application object is made anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.window import application_icon

ROOT = Path(__file__).resolve().parents[2]

_EXACT = """
import sys
from PySide6.QtCore import QTimer
import app.window
original = app.window.MainWindow
def make(*args):
    window = original(*args)
    def report():
        print(window.session.exact, window.detail_panel._exact.isChecked(), len(window.windowIcon().availableSizes()))
        window.close()
    window.first_painted.connect(lambda: QTimer.singleShot(300, report))
    return window
app.window.MainWindow = make
sys.exit(app.window.run(exact=True))
"""


def test_the_icon_is_sharp_at_every_usual_size(qapp):
    icon = application_icon()
    sizes = {size.width() for size in icon.availableSizes()}
    assert {16, 32, 48, 64, 128, 256, 512} <= sizes
    for side in (16, 48, 256):
        picture = icon.pixmap(side, side).toImage()
        assert picture.width() == side
        assert picture.pixelColor(side // 2, side // 2).alpha() == 255


@pytest.mark.gl
def test_the_published_masks_can_be_asked_for_at_the_start(qapp, tmp_path):
    if qapp.platformName() == "offscreen":
        pytest.skip("the window needs a display; python3 -m tests starts a virtual one")
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _EXACT],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "True", "7"]
