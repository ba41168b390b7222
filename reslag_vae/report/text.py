"""The report as Markdown."""

from reslag_vae.report import tables
from reslag_vae.report.contents import Chapter, Contents
from reslag_vae.report.tables import markdown, neutral


def as_markdown(contents: Contents) -> str:
    """The report's tables, and what they need to be read."""
    parts = [f"# {neutral(contents.name)}", ""]
    parts += [contents.question, ""] if contents.question else []
    seeds = ", ".join(map(str, contents.seeds))
    made_by = "; ".join(map(neutral, contents.made_by))
    parts += [
        f"{len(contents.runs)} finished runs, seeds {seeds}. {made_by}.",
        "",
        *(f"{note}\n" for note in contents.how),
    ]
    for chapter in contents.chapters:
        parts += chapter_lines(chapter)
    if contents.missing:
        parts += [
            "## Not finished",
            "",
            *(f"- {neutral(folder)}: {neutral(state)}" for folder, state in contents.missing.items()),
            "",
        ]
    return "\n".join(parts)


def chapter_lines(chapter: Chapter) -> list[str]:
    """On a data set."""
    images = chapter.images
    lines = [
        f"## {chapter.title}",
        "",
        f"{images['train']:,} images train, {images['val']:,} choose the epoch, {images['test']:,} test. "
        "Means over seeds ± standard errors.",
        "",
    ]
    if chapter.caveats:
        lines += [f"**Not the thesis' experiment:** {'; '.join(map(neutral, chapter.caveats))}.", ""]
    lines += [markdown(tables.thesis_table(chapter.rows))]
    if chapter.answered:
        lines += [markdown(tables.answer_table(chapter.answered))]
    if chapter.unanswered:
        lines += [f"Not answered yet: {' '.join(chapter.unanswered)}", ""]
    lines += [markdown(tables.number_table(chapter.rows, tables.YARDSTICK, chapter.pca))]
    return [*lines, markdown(tables.number_table(chapter.rows, tables.COST))]
