"""The command that writes a study's report.

Usage: python -m reslag_vae.report studies/table1
"""

import argparse
from pathlib import Path

from reslag_vae._runtime import terminal
from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.files import remove_unfinished, write_atomically
from reslag_vae._runtime.invocation import invocation


def main() -> None:
    """Read a study's files and write its report beside them."""
    terminal.prepare()
    parser = argparse.ArgumentParser(
        prog=invocation("report"),
        description="Write report.html, report.md and report.csv of a study, from the files in its "
        "folder alone.",
    )
    parser.add_argument("study", type=Path, help="its folder, such as studies/table1")
    parser.add_argument(
        "--out", type=Path, help="another folder for the report; the default is the study's own"
    )
    arguments = parser.parse_args()
    with ended_in_words():
        for path in build(arguments.study, arguments.out or arguments.study):
            print(path)


def build(study: Path, out: Path) -> list[Path]:
    """Write the report of a study.

    Args:
        study: folder of the study.
        out: folder that the report is written to.

    Returns:
        The paths of the written files.

    Raises:
        RunError: the study has no finished run, or a file is damaged.
    """
    from reslag_vae.studies.report.contents import contents_of
    from reslag_vae.studies.report.page import page
    from reslag_vae.studies.report.spreadsheet import as_csv
    from reslag_vae.studies.report.text import as_markdown

    contents = contents_of(study)
    rows = {chapter.data: chapter.rows for chapter in contents.chapters}
    written = {
        "report.html": page(contents),
        "report.md": as_markdown(contents),
        "report.csv": as_csv(rows),
    }
    remove_unfinished(out, written)
    for name, content in written.items():
        write_atomically(out / name, content)
    return [out / name for name in written]


if __name__ == "__main__":
    main()
