"""The command that makes a W&B workspace with the panels of a project's runs.

Usage: reslag dashboard --entity me --project reslag_vae
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from reslag_vae._runtime.ending import ended_in_words
from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae._runtime.invocation import invocation
from reslag_vae._runtime.parser import Parser
from reslag_vae._runtime.terminal import prepare

NAME = "reslag_vae"
GROUPS = ("model", "data", "objective", "schedule")


class Panel(NamedTuple):
    """A panel of the workspace.

    Attributes:
        kind: what is drawn: lines over images seen, bars, one metric against another, pictures, or
            a table.
        title: title of the panel.
        keys: metrics, or names of pictures; of a scatter plot the horizontal and the vertical one.
    """

    kind: Literal["lines", "bars", "scatter", "pictures", "table"]
    title: str
    keys: tuple[str, ...]


def panels() -> dict[str, list[Panel]]:
    """Return the panels by the title of their section."""
    information = ("val/mutual_information", "val/mutual_information_ceiling")
    pictures = ("reconstructions", "prior_samples", "kl_per_dimension", "curves")
    return {
        "Training": [
            Panel("lines", "ELBO of the yardstick (nats)", ("val/elbo",)),
            Panel("lines", "Rec (squared error per image)", ("train/rec", "val/rec")),
            Panel("lines", "KL (nats)", ("train/kl", "val/kl")),
            Panel("scatter", "Rate against distortion", ("val/kl", "val/rec")),
            Panel("lines", "Likelihood variance", ("sigma2/mean", "sigma2/min", "sigma2/max")),
            Panel("lines", "Loss within epochs", ("step/loss",)),
        ],
        "Latent": [
            Panel("lines", "Active units", ("val/active_units",)),
            Panel("lines", "Mutual information and its ceiling (nats)", information),
            Panel("table", "Codes of validation images", ("codes",)),
        ],
        "Pictures": [Panel("pictures", name, (f"figures/{name}",)) for name in pictures],
        "Results": [
            Panel("bars", "Test ELBO of the best epoch (nats)", ("best/test/elbo",)),
            Panel("bars", "Test Rec of the best epoch", ("best/test/rec",)),
            Panel("bars", "Images per second", ("images_per_second",)),
        ],
    }


def workspace(entity: str, project: str, group: str) -> Any:
    """Return the workspace of a project, which is not saved yet.

    Args:
        entity: user or team on W&B.
        project: name of the W&B project.
        group: name in the runs' configuration by which they are grouped.
    """
    import wandb_workspaces.workspaces as made

    sections = [
        made.Section(name=name, panels=[drawn(own) for own in found], is_open=True)
        for name, found in panels().items()
    ]
    settings = made.WorkspaceSettings(x_axis="images_seen")
    runs = made.RunsetSettings(groupby=[made.Config(group)])
    return made.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=sections,
        settings=settings,
        runset_settings=runs,
    )


def drawn(panel: Panel) -> Any:
    """Return a panel as W&B has it."""
    import wandb_workspaces.reports.v2 as made

    if panel.kind == "lines":
        return made.LinePlot(title=panel.title, x="images_seen", y=list(panel.keys))
    if panel.kind == "bars":
        return made.BarPlot(title=panel.title, metrics=list(panel.keys))
    if panel.kind == "scatter":
        x, y = (made.SummaryMetric(key) for key in panel.keys)
        return made.ScatterPlot(title=panel.title, x=x, y=y)
    if panel.kind == "table":
        return made.WeavePanelSummaryTable(table_name=panel.keys[0])
    return made.MediaBrowser(title=panel.title, media_keys=list(panel.keys))


def save(entity: str, project: str, group: str) -> str:
    """Save the workspace and return its address.

    Args:
        entity: user or team on W&B.
        project: name of the W&B project.
        group: name in the runs' configuration by which they are grouped.

    Raises:
        UserError: W&B does not take it: nobody is logged in, or there is no such project.
    """
    try:
        return str(workspace(entity, project, group).save().url)
    except Exception as error:  # of W&B, its network, or its server
        raise UserError(
            f"W&B does not take the workspace of {entity}/{project} ({first_line(error)}): log in "
            "by wandb login, and upload a run of that project first."
        ) from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the workspace that the command line describes."""
    prepare()
    parser = Parser(
        prog=invocation("dashboard"),
        description="Make a W&B workspace with panels for the runs of a project.",
    )
    parser.add_argument("--entity", required=True, help="user or team on W&B")
    parser.add_argument("--project", default=NAME, help="W&B project (default: %(default)s)")
    parser.add_argument(
        "--group", default="model", choices=GROUPS, help="what runs are grouped by (default: model)"
    )
    asked = parser.parse_args(arguments)
    with ended_in_words():
        url = save(asked.entity, asked.project, asked.group)
    print(url)
