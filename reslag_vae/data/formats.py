"""The picture formats that are read, and the suffixes of their files."""

from functools import cache

SUFFIXES = frozenset(
    (
        *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
        *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
    )
)

# Pillow's names of formats, and what Pillow must have been built with to read each.
FORMATS = {
    **dict.fromkeys(("JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM"), ""),
    **{"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"},
    "TGA": "",
}


@cache
def formats() -> list[str]:
    """Return Pillow's names of the formats that are opened, whatever suffix a file has.

    Pillow knows others, and hands some of them to other programs: PostScript to Ghostscript.
    """
    from PIL import features

    here = features.get_supported()
    return [name for name, needs in FORMATS.items() if not needs or needs in here]
