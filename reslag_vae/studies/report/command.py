"""The command that writes a study's report, or the table of all systems of several studies.

Usage: python -m reslag_vae.report studies/table1
"""

from pathlib import Path

from reslag_vae._runtime import terminal
from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.escape import file_name
from reslag_vae._runtime.files import remove_unfinished, write_atomically
from reslag_vae._runtime.invocation import invocation
from reslag_vae._runtime.parser import Parser


def main() -> None:
    """Read the files of a study, or of several, and write the report beside them."""
    terminal.prepare()
    parser = Parser(
        prog=invocation("report"),
        description="Write report.html, report.md and report.csv of a study, from the files in its "
        "folder alone, with a picture of power spectra for each data set. A folder of several "
        "studies gets systems.html, systems.md, systems.csv and a picture for each data set: every "
        "system's best row in any of them, on the same images.",
    )
    parser.add_argument(
        "study", type=Path, help="its folder, such as studies/table1, or one of studies"
    )
    parser.add_argument(
        "--out", type=Path, help="another folder for the report; the default is the same one"
    )
    arguments = parser.parse_args()
    with ended_in_words():
        for path in build(arguments.study, arguments.out or arguments.study):
            print(path)


def build(study: Path, out: Path) -> list[Path]:
    """Write the report of a study, or the table of all systems of a folder of studies.

    Args:
        study: folder of a study, or of several.
        out: folder that the report is written to.

    Returns:
        The paths of the written files.

    Raises:
        RunError: the study has no finished run, or a file is damaged.
    """
    from reslag_vae.studies.report.systems import is_folder_of_studies

    written = systems_files(study) if is_folder_of_studies(study) else report_files(study)
    remove_unfinished(out, written)
    for name, content in written.items():
        write_atomically(out / name, content)
    return [out / name for name in written]


def report_files(study: Path) -> dict[str, str | bytes]:
    """Return the contents of a study's report, by name of the file."""
    from reslag_vae.evaluation.pictures.figures import png
    from reslag_vae.studies.report.contents import contents_of
    from reslag_vae.studies.report.page import page
    from reslag_vae.studies.report.spectra import power_spectra, spectra_file
    from reslag_vae.studies.report.spreadsheet import as_csv
    from reslag_vae.studies.report.text import as_markdown

    contents = contents_of(study)
    rows = {chapter.data: chapter.rows for chapter in contents.chapters}
    drawn = {spectra_file(data): power_spectra(own) for data, own in rows.items()}
    return {
        "report.html": page(contents),
        "report.md": as_markdown(contents),
        "report.csv": as_csv(rows),
        **{name: png(figure) for name, figure in drawn.items() if figure is not None},
    }


def systems_files(folder: Path) -> dict[str, str | bytes]:
    """Return the contents of the table of all systems, by name of the file."""
    from reslag_vae.studies.report.gallery import gallery
    from reslag_vae.studies.report.page import systems_page
    from reslag_vae.studies.report.systems import systems_of
    from reslag_vae.studies.report.systems_table import systems_csv, systems_markdown

    found = systems_of(folder)
    drawn = {group.place: gallery(group) for group in found}
    galleries = {place: own for place, own in drawn.items() if own is not None}
    return {
        "systems.html": systems_page(found, galleries),
        "systems.md": systems_markdown(found),
        "systems.csv": systems_csv(found),
        **{f"systems_{file_name(place)}.png": own.picture for place, own in galleries.items()},
    }


if __name__ == "__main__":
    main()
