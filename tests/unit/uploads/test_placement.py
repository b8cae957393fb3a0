import pytest

from server.uploads.placement import base_name


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        (None, None),
        ("", None),
        ("a.mp4", "a.mp4"),
        ("/home/me/a.mp4", "a.mp4"),
        ("C:\\clips\\a b.mp4", "a b.mp4"),
        ("folder/", "folder"),
        ("/", None),
        ("..", ".."),
        (" \0 ", None),
        ("x" * 5000, "x" * 1000),
    ],
)
def test_the_name_of_a_file_is_the_end_of_its_path(filename, name):
    assert base_name(filename) == name
