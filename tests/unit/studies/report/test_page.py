"""The page: whole by itself, and right in a browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from reslag_vae.studies.grid import Job
from reslag_vae.studies.plan import Question, add_to_plan
from reslag_vae.studies.report.command import build
from reslag_vae.studies.report.contents import contents_of

MakeRun = Callable[..., Path]

VOID = {"meta", "link", "img", "br"}


class Reader(HTMLParser):
    """Reads a page, and sees to it that every element is closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.names: set[str] = set()
        self.alternatives: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        own = dict(attrs)
        self.addresses += [own[name] or "" for name in ("src", "href") if name in own]
        self.ids += [own["id"] or ""] if "id" in own else []
        if tag == "img":
            self.alternatives.append(own.get("alt"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(make_run: MakeRun, study: Path) -> str:
    """The page of a study with a question, a picture, a failure and a name that looks like HTML."""
    for seed in range(2):
        make_run(
            f"fashion_mnist/optimal_sigma-sigma_data/seed_{seed}",
            loss=-760 - 0.02 * seed,
            rec=9 - 0.1 * seed,
        )
        make_run(
            f"fashion_mnist/beta_vae/seed_{seed}",
            model="beta_vae",
            objective="beta",
            loss=19,
            rec=10,
            evaluation={"reconstruction": {"pca_rec": {"value": 19.094}}} if seed else None,
        )
    make_run("<zebras>/vae/seed_0", model="vae", objective="elbo")
    picture = study / "results/fashion_mnist/beta_vae/seed_0/figures/reconstructions.png"
    picture.parent.mkdir()
    Image.new("L", (4, 4)).save(picture)
    failed = study / "results/mnist/vae/seed_0"
    failed.mkdir(parents=True)
    (failed / "failed.json").write_text('{"reason": "loss < 0 & not finite"}')
    (study / "README.md").write_text("# Title\n\n**Question.** Is `a` < b?\n\nMore.\n")
    questions = [
        Question("Is it better?", "optimal_sigma-sigma_data", "beta_vae"),
        Question("And the other?", "vae", "beta_vae"),
        Question("Elsewhere?", "reslag", "beta_vae"),
    ]
    places = ("mnist/vae/seed_0", "fashion_mnist/beta_vae/seed_0", "fashion_mnist/vae/seed_0")
    add_to_plan(study / "results", [Job(place, ()) for place in places], questions)
    paths = build(study, study)
    assert [path.name for path in paths] == ["report.html", "report.md", "report.csv"]
    return paths[0].read_text()


def test_it_is_well_formed_and_asks_for_nothing(page: str) -> None:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "script" not in reader.names
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
    assert len(reader.ids) == len(set(reader.ids))
    assert {address[1:] for address in reader.addresses if address.startswith("#")} <= set(
        reader.ids
    )
    assert all(reader.alternatives)
    assert not re.search(r"url\(|@import", page)


def test_it_says_what_was_found(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert "Question. Is a &lt; b?" in text
    assert "thesis -752.00; at its s2 -762.12 ± 0.20; ▼ -10.13" in text
    assert "thesis 17.56; ▲ +1.44" in text
    assert "the methods: yes" in text
    assert "Not answered yet: And the other? On one" in text
    assert "PCA, as many components - 19.09 - -" in text
    assert "mnist/vae, refused: loss &lt; 0 &amp; not finite 0 - -" in text
    assert "&lt;zebras&gt;" in text
    assert "100 2,000 results/fashion_mnist/beta_vae/" in text
    assert "5 finished runs, 2 seeds (0, 1)." in text
    assert '<td class="better">8.95' in page
    assert '<td class="worse">19.00' in page
    assert (
        page.count('<td class="best">') == 2
    )  # ELBO and Rec of two variants; none where there is but one
    assert page.count("data:image/png") == 1
    assert page.count("data:image/svg+xml") == 6


def test_the_text_says_the_same(page: str, study: Path) -> None:
    text = (study / "report.md").read_text()
    place = "results/fashion_mnist/optimal_sigma-sigma_data/"
    assert f"| [Optimal Sigma VAE]({place}) | 2 | 12.19 | 8.95 ± 0.05 (better) |" in text
    assert "| PCA, as many components | - | 19.09 | - | - |" in text
    assert "](results/%3Czebras%3E/vae/) |" in text
    assert "Not answered yet: And the other?\n" in text
    assert "| mnist/vae, refused: loss &lt; 0 &amp; not finite | 0 | - | - |" in text
    assert (study / "report.csv").read_text().count("\n") == 4


def test_a_difference_beside_a_margin_has_as_many_digits_as_in_the_text(
    make_run: MakeRun, study: Path
) -> None:
    for name, rec in (("a", 10.0), ("b", 10.01)):
        make_run(f"mnist/{name}/seed_0", rec=rec)
    question = Question("Are they the same?", "a", "b", margin=0.01)
    add_to_plan(study / "results", [Job("mnist/a/seed_0", ())], [question])
    build(study, study)
    line = next(
        line for line in (study / "report.md").read_text().splitlines() if question.text in line
    )
    difference, over_images = line.split(" | ")[2:4]
    assert re.fullmatch(r"[+-]0\.\d{4}", difference)
    assert over_images.endswith(", 90%")
    assert (
        f"{difference}; over images {over_images}; one seed" in (study / "report.html").read_text()
    )


def test_a_question_is_open_on_the_data_alone_that_it_is_asked_on(
    make_run: MakeRun, study: Path
) -> None:
    jobs = [Job(f"{data}/{row}/seed_0", ()) for data in ("mnist", "cifar10") for row in ("a", "b")]
    for job in jobs[::2]:
        make_run(job.folder)
    add_to_plan(study / "results", jobs, [Question("Is it?", "a", "b", ("cifar10",))])
    chapters = {own.data: own.unanswered for own in contents_of(study).chapters}
    assert chapters == {"mnist": [], "cifar10": ["Is it?"]}


def test_a_question_is_open_where_a_binarisation_names_the_data(
    make_run: MakeRun, study: Path
) -> None:
    jobs = [Job(f"omniglot/{row}/seed_0", ()) for row in ("a", "b")]
    path = make_run(jobs[0].folder) / "metrics.json"
    result = json.loads(path.read_text())
    path.write_text(json.dumps(result | {"data": "omniglot_dynamic"}))
    add_to_plan(study / "results", jobs, [Question("Is it?", "a", "b")])
    (chapter,) = contents_of(study).chapters
    assert (chapter.data, chapter.unanswered) == ("omniglot_dynamic", ["Is it?"])


def test_pictures_that_may_not_be_passed_on_stay_out(make_run: MakeRun, study: Path) -> None:
    for data in ("celeba", "cifar10"):
        folder = make_run(f"{data}/vae/seed_0", model="vae", objective="elbo")
        (folder / "figures").mkdir()
        for name in ("reconstructions", "prior_samples"):
            Image.new("L", (4, 4)).save(folder / "figures" / f"{name}.png")
    text = build(study, study)[0].read_text()
    assert text.count("data:image/png") == 3
    assert (
        text.index('id="cifar10"')
        < text.index("Reconstructions of validation images")
        < text.index('id="celeba"')
    )


def test_without_a_density_there_is_no_plot_of_its_elbo(make_run: MakeRun, study: Path) -> None:
    folder = make_run(
        "mnist/autoencoder/seed_0", model="autoencoder", objective="reconstruction", kl=None
    )
    (folder / "metrics.csv").write_text("epoch,val/rec\n1,3.5\n")
    assert build(study, study)[0].read_text().count("data:image/svg+xml") == 2


def test_it_is_the_same_every_time(page: str, study: Path) -> None:
    build(study, study)
    assert (study / "report.html").read_text() == page


def test_a_browser_has_nothing_against_it(page: str, study: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("needs chromium, which no package brings")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}",
    ]
    done = subprocess.run(
        [
            browser,
            *options,
            "--window-size=390,800",
            "--dump-dom",
            f"file://{study / 'report.html'}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "Is it better?" in done.stdout
    assert "CONSOLE" not in done.stderr
