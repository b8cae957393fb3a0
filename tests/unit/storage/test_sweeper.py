import os
from pathlib import Path

from server.storage import sweeper
from server.storage.layout import Layout


def folder(layout, name, changed, grown=0):
    layout.upload(name).mkdir(parents=True)
    layout.upload_data(name).write_bytes(b"abc")
    os.utime(layout.upload_data(name), (grown or changed, grown or changed))
    os.utime(layout.upload(name), (changed, changed))


def test_leftovers_are_those_that_rest(tmp_path):
    layout = Layout(tmp_path)
    folder(layout, "upOld", 100)
    folder(layout, "upNew", 300)
    folder(layout, "upGrowing", 100, grown=300)

    assert sweeper.leftovers(layout, 200) == ["upOld"]


def test_a_fresh_data_folder_has_no_leftovers(tmp_path):
    assert sweeper.leftovers(Layout(tmp_path), 200) == []


def test_swept_uploads_are_gone(tmp_path):
    layout = Layout(tmp_path)
    folder(layout, "upOld", 100)
    folder(layout, "upOther", 100)

    assert sweeper.sweep(layout, ["upOld", "upNone"]) == 1
    assert sweeper.leftovers(layout, 200) == ["upOther"]


def test_an_upload_that_ends_meanwhile_is_none_of_them(tmp_path, monkeypatch):
    layout = Layout(tmp_path)
    folder(layout, "upOld", 100)
    folder(layout, "upEnding", 100)
    stat = Path.stat

    def vanished(path, **more):
        if path.name == "data" and path.parent.name == "upEnding":
            raise FileNotFoundError
        return stat(path, **more)

    monkeypatch.setattr(Path, "stat", vanished)

    assert sweeper.leftovers(layout, 200) == ["upOld"]
