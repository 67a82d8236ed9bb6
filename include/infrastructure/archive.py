"""Zip archives: the same bytes for the same contents, wherever and whenever they are made."""

import io
import zipfile
from collections.abc import Mapping

# A zip cannot be older; any fixed moment would do.
EPOCH = (1980, 1, 1, 0, 0, 0)


def zip_bytes(contents: Mapping[str, bytes]) -> bytes:
    """Return a zip of the contents, in order of their names."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, wherever it is made
            # Stored, because compressed bytes differ between versions of zlib.
            entry.compress_type = zipfile.ZIP_STORED
            archive.writestr(entry, contents[name])
    return target.getvalue()
