from __future__ import annotations

from PySide6.QtWidgets import QWidget

from engine.trust import COLOURS, LEGEND
from widgets.trust_legend import TrustLegend


def test_the_legend_names_every_colour_and_stays_in_its_corner(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.resize(700, 400)
    parent.show()
    legend = TrustLegend(LEGEND, parent)
    assert not legend.isVisible()
    for wanted in ("seen", "stretched", "invented", *(f"rgb({r},{g},{b})" for r, g, b in COLOURS.values())):
        assert wanted in legend.text()
    for width in (700, 160):
        parent.resize(width, 400)
        legend.set_shown(True)
        assert parent.rect().contains(legend.geometry())
        assert legend.geometry().bottom() > 380
        assert legend.height() >= legend.heightForWidth(legend.width())
    legend.set_shown(False)
    assert not legend.isVisible()
