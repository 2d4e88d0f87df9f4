"""How long a folder of files takes to be taken in: `uv run python benchmarks/sources.py [FOLDER]`.

Without a folder it makes one of 2,000 files. Each figure is of a process of its own: `dlm init` as
it is typed, which walks, reads and searches for secrets; then a process that makes the lessons, and
one that makes the index of `dlm prompt`. The digests say whether two processes made the same.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

FILES = 2_000
WORDS = (
    *("lamp", "harbour", "ferry", "keeper", "tide", "glass", "oil", "key", "boat", "bell"),
    *("password", "token", "secret", "reads", "writes", "returns", "the", "a", "in", "to"),
)


def main() -> None:
    if sys.argv[1:2] == ["--lessons"]:
        print(lessons(Path(sys.argv[2])))
    elif sys.argv[1:2] == ["--index"]:
        print(index(Path(sys.argv[2])))
    else:
        with TemporaryDirectory() as place:
            folder = Path(sys.argv[1]) if sys.argv[1:] else make(Path(place) / "folder")
            measure(folder, Path(place))


def measure(folder: Path, place: Path) -> None:
    names = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in names)
    print(f"{len(names):,} files, {size / 1e6:.1f} MB")
    document = place / "notes.dlm"
    init = [sys.executable, "-m", "dlm", "init", str(document), "--base", "pocket"]
    command = [*init, "--force", "--from", str(folder), "--allow-secrets"]
    print(f"dlm init --from     {min(timed(command) for _ in range(3))[0]:6.2f} s")
    for what in ("--lessons", "--index"):
        runs = [timed([sys.executable, __file__, what, str(document)]) for _ in range(2)]
        same = "the same" if runs[0][1] == runs[1][1] else "NOT the same"
        print(f"{what[2:]:<19} {min(runs)[0]:6.2f} s, twice {same}: {runs[0][1]}")


def timed(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - start, done.stdout.strip()


def lessons(path: Path) -> str:
    """How many lessons the document has, and a digest of their ids in order."""
    from dlm.data.lessons import lessons_of, parts
    from dlm.doc.parser import parse_file

    found = parts(lessons_of(parse_file(path)).train)
    digest = hashlib.sha256("".join(f"{one.id}{one.place}" for one in found).encode())
    return f"{len(found):,} lessons, {digest.hexdigest()[:12]}"


def index(path: Path) -> str:
    """How many passages there are to answer from."""
    from dlm.doc.parser import parse_file
    from dlm.index import Index
    from dlm.sources.reading import read_sources

    document = parse_file(path)
    return f"{len(Index(document, read_sources(document).pieces).passages):,} passages"


def make(folder: Path) -> Path:
    """2,000 files in 50 folders: Markdown, plain text and code, some ignored, some binary."""
    chance = random.Random(0)
    for number in range(FILES):
        below = folder / f"part{number % 50:02}"
        below.mkdir(parents=True, exist_ok=True)
        kind = (".md", ".txt", ".py", ".md")[number % 4]
        text = code(chance) if kind == ".py" else prose(chance, number)
        (below / f"file{number:04}{kind}").write_text(text, "utf-8")
    (folder / ".gitignore").write_text("build/\n*.log\n__pycache__/\n", "utf-8")
    (folder / "picture.png").write_bytes(bytes(range(256)) * 8)
    return folder


def prose(chance: random.Random, number: int) -> str:
    paragraphs = [
        " ".join(chance.choices(WORDS, k=60)).capitalize() + "."
        for _ in range(chance.randint(4, 16))
    ]
    return f"# Matter {number}\n\n" + "\n\n".join(paragraphs) + "\n"


def code(chance: random.Random) -> str:
    parts = ["from __future__ import annotations\n"]
    for _ in range(chance.randint(6, 20)):
        name, key = chance.choice(WORDS), chance.choice(WORDS)
        parts.append(
            f'def {name}_{chance.randrange(999)}({key}: str) -> str:\n    """The {name}."""\n\n'
            f'    password = load("{key}")\n    return f"{{password}} {name}"\n'
        )
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
