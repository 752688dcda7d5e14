"""What all panels have in common: the heading, also before there is anything to show; kept scenes."""

from __future__ import annotations

import msgspec
import pytest
from console import views
from console.panel_app import PanelApp, shown

from pinnacle_tui.widgets.log import LogPanel
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.pnl import PnlPanel


@pytest.mark.parametrize("made", [PnlPanel, LogPanel])
async def test_before_there_is_anything_only_the_heading_stands_there(made: type[Panel]) -> None:
    panel = made(views.palette(), id="one", number=2)
    async with PanelApp(panel).run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        assert shown(panel) == [f"2 {panel.TITLE}", "", "", "", "", ""]
        await pilot.resize_terminal(30, 3)
        await pilot.pause()
        assert shown(panel) == [f"2 {panel.TITLE}", "", ""]
        panel.show(views.scene())
        assert any(shown(panel)[1:])


def test_a_kept_scene_hears_nothing_any_more() -> None:
    scene = views.scene()
    kept = scene.kept()
    before = list(kept.mirror.log), list(kept.mirror.fills), list(kept.mirror.profits["BTC-USD"])
    view = views.view(time_ns=views.TIME + 9 * views.S)
    scene.mirror.apply(msgspec.structs.replace(view, seq=9_000), views.S)
    scene.mirror.log.clear()
    scene.mirror.fills.clear()
    assert (list(kept.mirror.log), list(kept.mirror.fills), list(kept.mirror.profits["BTC-USD"])) == before
    assert kept.mirror.heard_ns == 0
    assert kept.book is scene.book
