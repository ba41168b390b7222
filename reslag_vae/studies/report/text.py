"""The report as Markdown."""

from reslag_vae._runtime.escape import markdown
from reslag_vae.studies.report import tables
from reslag_vae.studies.report.contents import Chapter, Contents
from reslag_vae.studies.report.tables import markdown_table


def as_markdown(contents: Contents) -> str:
    """Return the report's tables as Markdown, with the notes that they need."""
    parts = [f"# {markdown(contents.name)}", ""]
    parts += [contents.question, ""] if contents.question else []
    seeds = ", ".join(map(str, contents.seeds))
    made_by = "; ".join(map(markdown, contents.made_by))
    parts += [
        f"{len(contents.runs)} finished runs, seeds {seeds}. {made_by}.",
        "",
        *[f"{note}\n" for note in contents.reading_notes],
    ]
    for chapter in contents.chapters:
        parts += chapter_lines(chapter)
    if contents.missing:
        missing = contents.missing.items()
        lines = [f"- {markdown(folder)}: {markdown(state)}" for folder, state in missing]
        parts += ["## Not finished", "", *lines, ""]
    return "\n".join(parts)


def chapter_lines(chapter: Chapter) -> list[str]:
    """Return the lines of the chapter on a data set."""
    images = chapter.images
    lines = [
        f"## {chapter.title}",
        "",
        f"{images['train']:,} images train, {images['val']:,} choose the epoch, "
        f"{images['test']:,} test. Means over seeds ± standard errors.",
        "",
    ]
    if chapter.caveats:
        lines += [
            f"**Not the thesis' experiment:** {'; '.join(map(markdown, chapter.caveats))}.",
            "",
        ]
    lines += [markdown_table(tables.thesis_table(chapter.rows))]
    if chapter.answered:
        lines += [markdown_table(tables.answer_table(chapter.answered))]
    if chapter.unanswered:
        lines += [f"Not answered yet: {' '.join(chapter.unanswered)}", ""]
    lines += [markdown_table(tables.number_table(chapter.rows, tables.YARDSTICK, chapter.pca))]
    return [*lines, markdown_table(tables.number_table(chapter.rows, tables.COST))]
