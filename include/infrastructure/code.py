"""The code that jobs run: its files, and the digest that names it in S3 and in the compiled pipelines."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[1] / "pipeline_scripts"
USE_CASES = "use_cases"
# What only the bundled engine needs.
ANALYZER = ("monitor_analyzer", "monitor.py")
DIGEST_LENGTH = 16


def code_files(engine: str, use_case: str, root: Path = ROOT) -> dict[str, bytes]:
    """Return the files of a use case's jobs by relative path.

    Of the use cases' own scripts only its own, so that a change to another's changes nothing here; only the bundled
    engine carries our analyzer.
    """
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        theirs = name.parts[0] == USE_CASES and name.parts[1:2] != (use_case,)
        unused = engine == "managed" and name.parts[0] in ANALYZER
        if not path.is_file() or hidden or path.suffix == ".pyc" or theirs or unused:
            continue
        found[name.as_posix()] = path.read_bytes()
    return found


def code_digest(files: dict[str, bytes]) -> str:
    """Digest over names and contents, in order of names: 16 hex digits of SHA-256."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()[:DIGEST_LENGTH]
