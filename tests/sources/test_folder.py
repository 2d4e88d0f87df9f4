"""Which files of a folder are taken, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from dlm.sources.folder import LeftOut, Wanted, files_below


def fill(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def names(root: Path, wanted: Wanted | None = None, left_out: LeftOut | None = None) -> list[str]:
    return [one.name for one in files_below(root, wanted or Wanted(), left_out or LeftOut())]


def test_files_come_in_the_order_of_their_names_without_hidden_ones(tmp_path: Path) -> None:
    fill(
        tmp_path,
        dict.fromkeys(
            ("b.md", "a/z.md", "a/b/c.md", "B.md", ".env", ".git/config", "a/.x/y.md", "n.dlm"), "x"
        ),
    )
    assert names(tmp_path) == ["B.md", "a/b/c.md", "a/z.md", "b.md"]


def test_a_gitignore_counts_where_it_stands_and_below(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            ".gitignore": "build/\n*.log\n/only-here.md\n",
            "a.log": "",
            "a.md": "",
            "build/x.md": "",
            "only-here.md": "",
            "sub/only-here.md": "",
            "sub/build/y.md": "",
            "sub/.gitignore": "!keep.log\nz*.md\n",
            "sub/keep.log": "",
            "sub/other.log": "",
            "sub/zoo.md": "",
        },
    )
    assert names(tmp_path) == ["a.md", "sub/keep.log", "sub/only-here.md"]


def test_that_of_a_repository_above_counts_too(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "outer/.gitignore": "*.md\n",
            "outer/repo/.git/config": "",
            "outer/repo/.gitignore": "docs/draft*\n*.tmp\nvendor/\n",
            "outer/repo/docs/draft1.md": "",
            "outer/repo/docs/a.md": "",
            "outer/repo/docs/b.tmp": "",
            "outer/repo/vendor/v.md": "",
        },
    )
    assert names(tmp_path / "outer/repo/docs") == ["a.md"]
    assert names(tmp_path / "outer/repo/vendor") == ["v.md"]  # named by the owner all the same


def test_patterns_choose_files(tmp_path: Path) -> None:
    fill(tmp_path, dict.fromkeys(("a.md", "a.py", "docs/b.md", "docs/c.txt", "old/d.md"), ""))
    assert names(tmp_path, Wanted(include=["**/*.md"])) == ["a.md", "docs/b.md", "old/d.md"]
    wanted = Wanted(include=["*.md", "docs/"], exclude=["old/", "docs/b.*"])
    assert names(tmp_path, wanted) == ["a.md", "docs/c.txt"]


def test_limits_leave_files_out_and_name_them(tmp_path: Path) -> None:
    fill(tmp_path, {"a.md": "x", "b.md": "x" * 100, "c.md": "x", "d.md": "x"})
    left_out = LeftOut()
    assert names(tmp_path, Wanted(max_files=2, max_bytes=10), left_out) == ["a.md", "c.md"]
    assert (left_out.too_large, left_out.too_many) == ([tmp_path / "b.md"], [tmp_path / "d.md"])


def test_links_out_of_the_folder_and_to_folders_are_passed_over(tmp_path: Path) -> None:
    root = fill(tmp_path, {"outside.md": "x", "in/a.md": "x", "in/sub/b.md": "x"}) / "in"
    (root / "link.md").symlink_to(tmp_path / "outside.md")
    (root / "up").symlink_to(tmp_path)
    (root / "loop").symlink_to(root)
    (root / "gone.md").symlink_to(tmp_path / "nothing")
    (root / "near.md").symlink_to(root / "sub/b.md")
    assert names(root) == ["a.md", "near.md", "sub/b.md"]


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    fill(tmp_path, {"a.md": "x", "shut/b.md": "x"})
    (tmp_path / "shut").chmod(0)
    left_out = LeftOut()
    try:
        list(tmp_path.joinpath("shut").iterdir())
    except PermissionError:
        assert names(tmp_path, left_out=left_out) == ["a.md"]
        assert left_out.unreadable == [tmp_path / "shut"]
    else:
        pytest.skip("root opens every folder")
    finally:
        (tmp_path / "shut").chmod(0o700)


@settings(max_examples=60, deadline=None)
@example(["[[]"])
@given(st.lists(st.text("abc*?[]!/\\# .", max_size=8), max_size=4))
def test_any_line_may_stand_in_a_gitignore(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    root = fill(tmp_path_factory.mktemp("any"), {".gitignore": "\n".join(lines), "a.md": ""})
    assert names(root) in ([], ["a.md"])
    assert names(root, Wanted(include=lines, exclude=lines)) in ([], ["a.md"])
