"""The served page, made with Gradio: which part follows which click. What it shows is in panels."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr

from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae.explore.axes import MOST_AXES
from reslag_vae.explore.file import part
from reslag_vae.explore.panels import NOTHING, OWN_CLASS, REACH, STEP, Item, Panels

# Pictures that are remembered as picked
REMEMBERED = 4

SHOW_MAP = """
const root = element.querySelector(".root");
async function show() {
  const data = JSON.parse(props.value);
  data.sheet = await loaded(JSON.parse(props.sheet));
  showMap(root.isConnected ? root : element.querySelector(".root"), data,
    (position) => trigger("click", { position }));
}
watch("value", show);
show();
"""

PRESS = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-position]");
  if (button) trigger("click", { position: Number(button.dataset.position) });
});
"""


def errors_shown(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose errors are shown on the page in one sentence."""

    @wraps(function)
    def telling(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (UserError, ValueError) as error:
            raise gr.Error(first_line(error), print_exception=False) from None

    return telling


class Page:
    """The components of a page, and what becomes of a click.

    Args:
        panels: what is shown.
    """

    def __init__(self, panels: Panels) -> None:
        self.panels = panels
        with gr.Blocks(title="reslag explore", analytics_enabled=False) as self.blocks:
            self.picks = gr.State([panels.item(0)])
            self.build_top()
            with gr.Tabs():
                self.build_sliders()
                self.build_between()
                self.build_sums()
                self.build_samples()
            self.wire()

    # Components

    def build_top(self) -> None:
        """Build the heading, the map, and what is shown of the picture that was picked last."""
        panels, titles = self.panels, [own.title for own in self.panels.explorers]
        self.heading = gr.HTML(panels.heading(0), elem_classes="facts")
        choices = [(title, number) for number, title in enumerate(titles)]
        self.model = gr.Radio(choices, value=0, label="Model", visible=len(titles) > 1)
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                maps = panels.explorers[0].maps
                self.kind = gr.Radio(maps, value=maps[0], label="Map of the codes")
                with gr.Row(visible=False) as self.two_axes:
                    self.first = gr.Dropdown(self.axes(0), value=0, label="to the right")
                    self.second = gr.Dropdown(self.axes(0), value=self.last(0), label="upwards")
                self.map = gr.HTML(
                    panels.map(0, maps[0]),
                    sheet=panels.sheet(),
                    html_template='<div class="root"></div>',
                    css_template=part("style.css"),
                    js_on_load=part("map.js") + SHOW_MAP,
                )
            with gr.Column(scale=2, min_width=320):
                self.picked = gr.HTML(panels.picked(panels.item(0)), elem_classes="panel")
                self.neighbours = gr.HTML(
                    panels.neighbours(0, panels.item(0)),
                    js_on_load=PRESS,
                    elem_classes="panel",
                )
                self.upload = gr.UploadButton(
                    "Bring a picture of your own", file_types=["image"], type="filepath"
                )

    def build_sliders(self) -> None:
        """Build the sliders and the image that they decode."""
        with gr.Tab("Sliders"), gr.Row():
            with gr.Column(scale=3, min_width=300):
                gr.Markdown(
                    "Places of the code, in standard deviations of the pictures' codes from their "
                    "mean."
                )
                states = self.slider_states(0, self.panels.item(0))
                self.sliders = [
                    gr.Slider(-REACH, REACH, step=STEP, buttons=[], **state) for state in states
                ]
                self.back = gr.Button("Back to the picture", size="sm")
            with gr.Column(scale=2, min_width=220, elem_classes="beside"):
                self.decoded = gr.HTML(
                    self.panels.reconstructed(0, self.panels.item(0)),
                    elem_classes=["panel", "decoded"],
                )

    def build_between(self) -> None:
        """Build the paths between pictures."""
        with gr.Tab("Between"):
            counts = [("the last two pictures that you picked", 2), ("the last four", 4)]
            self.corners = gr.Radio(counts, value=2, label="Between")
            self.go_between = gr.Button("Decode", size="sm")
            self.path = gr.HTML(elem_classes="panel")

    def build_sums(self) -> None:
        """Build the arithmetic, if there are classes or attributes."""
        names = self.panels.summands
        with gr.Tab("Arithmetic", visible=bool(names)):
            with gr.Row():
                first = names[0] if names else None
                self.add = gr.Dropdown(names, value=first, label="add")
                away = [OWN_CLASS, NOTHING, *names]
                self.take = gr.Dropdown(away, value=OWN_CLASS, label="take away")
            self.go_sum = gr.Button("Decode", size="sm")
            self.sum = gr.HTML(elem_classes="panel")

    def build_samples(self) -> None:
        """Build the samples."""
        with gr.Tab("Samples"):
            with gr.Row():
                names = self.panels.samplers
                self.sampler = gr.Radio(names, value=names[0], label="Sampler")
                self.temperature = gr.Slider(0, 2, value=1, step=0.05, label="Temperature")
                most, usual = (96, 48) if self.panels.quick else (8, 4)
                self.count = gr.Slider(1, most, value=usual, step=1, label="Number")
                self.seed = gr.Number(0, precision=0, minimum=0, maximum=2**32 - 1, label="Seed")
            self.go_samples = gr.Button("Draw", size="sm")
            self.samples = gr.HTML(elem_classes="panel")

    # Events

    def wire(self) -> None:
        """Say which function follows which event."""
        shown = [self.picked, self.neighbours, *self.sliders, self.decoded, self.path, self.sum]
        given = [self.picks, self.model, self.corners, self.add, self.take]
        quiet: dict[str, Any] = {"show_progress": "hidden"}
        for pressed in (self.map, self.neighbours):
            # Written in the JavaScript of both: the number of the picture comes with the event.
            pressed.click(self.pick, self.picks, self.picks, **quiet).then(
                errors_shown(self.show), given, shown, **quiet
            )
        self.upload.upload(errors_shown(self.bring), [self.picks, self.upload], self.picks).success(
            errors_shown(self.show), given, shown
        )
        mapped = [self.model, self.kind, self.first, self.second]
        self.model.input(
            self.choose, self.model, [self.heading, self.kind, self.first, self.second]
        )
        self.model.input(errors_shown(self.show), given, shown)
        gr.on(
            [self.model.change, self.kind.change, self.first.change, self.second.change],
            errors_shown(self.panels.map),
            mapped,
            self.map,
        )
        self.kind.change(self.show_axes, self.kind, self.two_axes, **quiet)
        self.wire_sliders()
        between = [self.picks, self.corners]
        gr.on(
            [self.go_between.click, self.corners.input],
            errors_shown(self.panels.between),
            between,
            self.path,
        )
        summed = [self.picks, self.add, self.take]
        gr.on(
            [self.go_sum.click, self.add.input, self.take.input],
            errors_shown(self.add_up),
            summed,
            self.sum,
        )
        drawn = [self.sampler, self.count, self.temperature, self.seed]
        self.go_samples.click(errors_shown(self.draw), drawn, self.samples)
        if self.panels.quick:
            self.blocks.load(errors_shown(self.show), given, shown, **quiet)

    def wire_sliders(self) -> None:
        """Decode as a slider moves; of a slow model, when it is let go."""
        for slider in self.sliders:
            event = slider.input if self.panels.quick else slider.release
            event(
                errors_shown(self.move),
                [self.picks, self.model, *self.sliders],
                self.decoded,
                show_progress="hidden",
                trigger_mode="always_last",
                queue=False,
            )
        self.back.click(
            errors_shown(self.reset), [self.picks, self.model], [*self.sliders, self.decoded]
        )

    # What the events do

    def pick(self, picks: list[Item], event: gr.EventData) -> list[Item]:
        """Return the pictures that were picked, with one more."""
        return [*picks, self.panels.item(event.position)][-REMEMBERED:]

    def bring(self, picks: list[Item], path: str) -> list[Item]:
        """Return the pictures that were picked, with one of the user's own."""
        return [*picks, self.panels.brought(Path(path))][-REMEMBERED:]

    def show(
        self, picks: list[Item], model: int, corners: int, add: str | None, take: str
    ) -> list[Any]:
        """Return all that is shown of the picked pictures.

        Of slow models the paths and sums wait until they are asked for.
        """
        item, panels = picks[-1], self.panels
        parts: list[Any] = [panels.picked(item), panels.neighbours(model, item)]
        parts += self.reset(picks, model)
        if not panels.quick:
            return [*parts, "", ""]
        added = panels.sum(item, add, take) if add is not None else ""
        return [*parts, panels.between(picks, corners), added]

    def reset(self, picks: list[Item], model: int) -> list[Any]:
        """Return the sliders where they stand for the picture, and its reconstruction."""
        states = self.slider_states(model, picks[-1])
        sliders: list[Any] = [gr.Slider(**state) for state in states]
        return [*sliders, self.panels.reconstructed(model, picks[-1])]

    def move(self, picks: list[Item], model: int, *values: float) -> str:
        """Return the image that the sliders decode."""
        return self.panels.moved(model, picks[-1], values)

    def add_up(self, picks: list[Item], add: str, take: str) -> str:
        """Return what the last picture becomes by a sum."""
        return self.panels.sum(picks[-1], add, take)

    def draw(self, sampler: str, count: float, temperature: float, seed: float | None) -> str:
        """Return samples."""
        return self.panels.samples(sampler, int(count), temperature, int(seed or 0))

    def choose(self, model: int) -> list[Any]:
        """Return the heading and the maps of a model."""
        maps, axes = self.panels.explorers[model].maps, self.axes(model)
        return [
            self.panels.heading(model),
            gr.Radio(maps),
            gr.Dropdown(axes, value=0),
            gr.Dropdown(axes, value=self.last(model)),
        ]

    def show_axes(self, kind: str) -> Any:
        """Return the choice of axes, which is there for two axes alone."""
        return gr.Row(visible=kind == "two axes")

    def axes(self, model: int) -> list[tuple[str, int]]:
        """Return the axes of a model as choices."""
        axes = self.panels.explorers[model].axes
        return [(axis.label, number) for number, axis in enumerate(axes)]

    def last(self, model: int) -> int:
        """Return the number of the axis upwards at first: the second, if there is one."""
        return min(1, len(self.panels.explorers[model].axes) - 1)

    def slider_states(self, model: int, item: Item) -> list[dict[str, Any]]:
        """Return what the sliders are for a model and a picture; there are more than it needs."""
        axes, starts = self.panels.explorers[model].axes, self.panels.starts(model, item)
        known = [
            {"label": axis.label, "value": start, "visible": True}
            for axis, start in zip(axes, starts, strict=True)
        ]
        return known + [{"visible": False, "value": 0}] * (MOST_AXES - len(axes))
