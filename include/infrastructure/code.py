"""The code that jobs run: its files, and the digest that names it in S3 and in the compiled pipelines."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[1] / "pipeline_scripts"
ANALYZER = "monitor_analyzer"
DIGEST_LENGTH = 16


def code_files(engine: str, root: Path = ROOT) -> dict[str, bytes]:
    """Return the files of the jobs by relative path; only the bundled engine carries our analyzer."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        if not path.is_file() or hidden or path.suffix == ".pyc" or (engine == "managed" and name.parts[0] == ANALYZER):
            continue
        found[name.as_posix()] = path.read_bytes()
    return found


def code_digest(files: dict[str, bytes]) -> str:
    """Digest over names and contents, in order of names: 16 hex digits of SHA-256."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()[:DIGEST_LENGTH]
