from __future__ import annotations

from PySide6.QtWidgets import QWidget

from engine.trust import COLOURS, LEGEND
from widgets.colour_legend import ColourLegend


def test_the_legend_names_every_colour_and_stays_in_its_corner(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.resize(700, 400)
    parent.show()
    legend = ColourLegend(parent)
    assert not legend.isVisible()
    legend.set_entries(LEGEND)
    for wanted in ("seen", "stretched", "invented", *(f"rgb({r},{g},{b})" for r, g, b in COLOURS.values())):
        assert wanted in legend.text()
    for width in (700, 160):
        parent.resize(width, 400)
        legend.set_entries(LEGEND)
        assert parent.rect().contains(legend.geometry())
        assert legend.geometry().bottom() > 380
        assert legend.height() >= legend.heightForWidth(legend.width())
    legend.set_entries([((1, 2, 3), "another")])
    assert "rgb(1,2,3)" in legend.text()
    assert "seen" not in legend.text()
    legend.set_entries(())
    assert not legend.isVisible()
