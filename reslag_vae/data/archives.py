"""The reading of files in a zip archive, without writing anything to disk."""

import zipfile
from pathlib import Path, PurePosixPath
from types import TracebackType

from reslag_vae._runtime.errors import first_line, printable
from reslag_vae.data.cache import state_of
from reslag_vae.data.errors import damaged, refuse_special


class ZipArchive:
    """A zip archive that is not trusted: its maker may want to fill the memory or to leave it.

    Close it, or use it as a context.

    Args:
        path: path of the archive.
        most_bytes: largest size that an unpacked file may have, in bytes.

    Raises:
        DataError: the archive is not whole, a name leads out of it or is there twice, or a file is
            too large.
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        refuse_special(path)
        self.path = path
        self._own_state = state_of(path)
        try:
            self._archive = zipfile.ZipFile(path)
        except Exception as reason:  # zipfile raises several kinds
            raise damaged(path, first_line(reason)) from None
        self._members: dict[Path, zipfile.ZipInfo] = {}
        try:
            for member in self._archive.infolist():
                if not member.is_dir():
                    self._add(member, most_bytes)
        except BaseException:
            self.close()
            raise

    def _add(self, member: zipfile.ZipInfo, most_bytes: int) -> None:
        """Add a file to those that may be read, unless it is not to be trusted."""
        name = printable(member.filename)
        inside = PurePosixPath(member.filename)
        if inside.is_absolute() or ".." in inside.parts or "\\" in member.filename:
            raise damaged(self.path, f"it names a file outside of it, {name}")
        if member.file_size > most_bytes:
            raise damaged(
                self.path, f"{name} would take {member.file_size:,} bytes, more than {most_bytes:,}"
            )
        place = self.path / inside
        if place in self._members:
            raise damaged(self.path, f"it has {name} twice")
        self._members[place] = member

    @property
    def files(self) -> list[Path]:
        """The paths of the files, each below the path of the archive, in the archive's order."""
        return list(self._members)

    def read(self, path: Path) -> bytes:
        """Return the content of one of `files`; no more is unpacked than the archive promises.

        Raises:
            BadZipFile: the file is damaged or encrypted. zipfile raises zlib.error, RuntimeError
                and others, too.
        """
        return self._archive.read(self._members[path])

    def state(self, path: Path) -> str:
        """Return size and checksum of one of `files` and the state of the archive, as text."""
        member = self._members[path]
        return f"{member.file_size} {member.CRC} {self._own_state}"

    def close(self) -> None:
        """Close the archive, from which nothing can be read then."""
        self._archive.close()

    def __enter__(self) -> "ZipArchive":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
