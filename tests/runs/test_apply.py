"""A trained model on a folder of pictures, by the command."""

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import reslag_vae
from reslag_vae.apply.command import main
from reslag_vae.apply.own_samplers import own_sampler, read_samplers, save_samplers
from reslag_vae.apply.request import FEWEST
from reslag_vae.apply.samplers import LEARNED
from reslag_vae.data import Digits
from reslag_vae.evaluation import encode
from reslag_vae.runs.errors import RunError
from reslag_vae.sharing.export import export
from tests.running import BARE_8, ROOT, start

pytestmark = pytest.mark.usefixtures("drawn_digits")

Apply = Callable[..., int]


@pytest.fixture(scope="module")
def run(
    drawn_digits: None, train: Any, compose: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run that has learnt what digits look like."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    options = ("model=optimal_sigma", "objective=sigma_optimal")
    train(compose(*BARE_8, *options, "trainer.max_epochs=5"), folder)
    return folder


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "exported"
    export(run, folder)
    return folder


@pytest.fixture(scope="module")
def digits(drawn_digits: None) -> np.ndarray:
    """(180, 8, 8) uint8 images of the test split."""
    data = Digits("unused", batch_size=16, val_fraction=0.1, seed=0)
    data.setup()
    return data.split("test").images[:, 0].numpy()


@pytest.fixture
def pictures(digits: np.ndarray, tmp_path: Path) -> Path:
    """A folder of 40 digits, among which 5 odd pictures lie: stripes, noise, a white one."""
    folder = tmp_path / "pictures"
    random = np.random.default_rng(0)
    stripes = np.tile(np.arange(8) % 4 < 2, (8, 1))
    odd = [
        255 * stripes,
        255 * stripes.T,
        random.integers(0, 256, (8, 8)),
        np.full((8, 8), 255),
        255 - digits[50].astype(int),
    ]
    for number, pixels in enumerate([*digits[:40], *odd]):
        path = folder / ("usual" if number < 40 else "odd") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


@pytest.fixture
def apply(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Apply:
    """Run the command in a folder of its own, and return its exit code."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["reslag", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(str(ended.code))
        return code

    return command


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_planted_odd_pictures_are_found(
    apply: Apply, exported: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(exported, pictures, "--score", "scores.csv", "--odd", "odd") == 0
    said = capsys.readouterr().out
    table = rows("scores.csv")
    assert len(table) == 45
    for name in ("squared_error", "minus_log_p_nats"):
        ordered = sorted(table, key=lambda row: -float(row[name]))
        assert {row["file"].split("/")[0] for row in ordered[:5]} == {"odd"}
        assert all(row["odd"] == ("1" if row["file"].startswith("odd") else "0") for row in table)
        ranks = [float(row[f"{name}_percentile"]) for row in ordered]
        assert ranks[:5] == [100] * 5
        # Those of the same kind as the validation images are spread as these are.
        assert 25 < np.mean(ranks[5:]) < 75
        assert f"AUROC of {name}: 1.000" in said
    oddest = next(line for line in said.splitlines() if line.startswith("oddest: "))
    assert oddest.count("odd/") == 5


@torch.no_grad()
def test_everything_at_once_is_what_the_model_says(
    apply: Apply, run: Path, pictures: Path, digits: np.ndarray, tmp_path: Path
) -> None:
    asked = ("--encode", "c.npz", "--reconstruct", "rec", "--neighbours", "3", "--sample", "5")
    assert apply(run, *asked, "--score", "s.npz", pictures / "usual") == 0
    model = reslag_vae.load(run)
    images = torch.from_numpy(digits[:40])[:, None]
    with np.load("c.npz") as codes, np.load("s.npz") as scores:
        assert codes["file"].tolist() == [f"{number:02d}.png" for number in range(40)]
        assert scores["file"].tolist() == codes["file"].tolist()
        means = model.encode(images)
        assert codes["z"] == pytest.approx(means.numpy(), abs=1e-5)
        errors = (model.reconstruct(images) - images / 255).square().sum((1, 2, 3))
        assert scores["squared_error"] == pytest.approx(errors.numpy(), rel=1e-4)
    expected = (255 * model.reconstruct(images)).round()
    for number in range(40):
        pixels = np.asarray(Image.open(f"rec/{number:02d}.png")).astype(float)
        assert np.abs(pixels - expected[number, 0].numpy()).max() <= 1
    table = rows("applied/neighbours.csv")
    assert [row["rank"] for row in table] == ["1", "2", "3"] * 40
    distances = torch.cdist(means, means).fill_diagonal_(torch.inf)
    assert table[0]["neighbour"] == f"{int(distances[0].argmin()):02d}.png"
    assert float(table[0]["distance"]) == pytest.approx(float(distances[0].min()), rel=1e-4)
    samples = sorted(path.name for path in Path("applied/samples_prior").iterdir())
    assert samples == ["1.png", "2.png", "3.png", "4.png", "5.png"]
    for name in ("rec/_overview.png", "applied/neighbours.png", "applied/samples_prior.png"):
        assert np.asarray(Image.open(name)).std() > 10
    drawn = np.asarray(Image.open("applied/samples_prior/2.png")).astype(int)
    still = ("--sample", "2", "--temperature", "0", "--out", "still")
    assert apply(run, *still) == 0
    assert json.loads(Path("still/applied.json").read_text())["samples_prior"]["notes"] == [
        "samples are drawn at temperature 0"
    ]
    one, two = (np.asarray(Image.open(f"still/samples_prior/{own}.png")) for own in "12")
    assert (one == two).all()
    assert (one != drawn).any()
    assert apply(run, "--sample", "2", "--sampler", "prior", "--overwrite") == 0
    report = json.loads(Path("applied/applied.json").read_text())
    facts = [(own["finished"], own["read"], own["unreadable"]) for own in report.values()]
    assert list(report) == ["neighbours", "samples_prior"]
    assert facts == [(True, 40, {}), (True, 0, {})]


def test_a_batch_size_changes_nothing(
    apply: Apply, exported: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert apply(exported, pictures, "--score", "a.npz", "--encode", "c.npz") == 0
    monkeypatch.setattr("reslag_vae.apply.work.chunk_size", lambda *_: 7)
    assert apply(exported, pictures, "--score", "b.npz", "--encode", "d.npz") == 0
    for one, other in (("a.npz", "b.npz"), ("c.npz", "d.npz")):
        with np.load(one) as first, np.load(other) as second:
            for name in first:
                if name == "file":
                    assert np.array_equal(first[name], second[name])
                elif "percentile" not in name:
                    assert first[name] == pytest.approx(second[name], rel=1e-4, abs=1e-5)


def test_pictures_of_any_kind_are_read_and_the_others_named(
    apply: Apply, exported: Path, digits: np.ndarray, tmp_path: Path, capsys: Any
) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    one = Image.fromarray(digits[0])
    one.save(folder / "grey.png")
    one.resize((90, 60)).convert("RGBA").save(folder / "rgba.png")
    one.convert("CMYK").save(folder / "cmyk.jpg")
    one.save(folder / "animated.gif", save_all=True, append_images=[Image.fromarray(digits[1])])
    Image.fromarray(digits[0].astype(np.uint16) * 257).save(folder / "sixteen.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    one.rotate(90).save(folder / "turned.png", exif=turned)
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "grey.png").read_bytes()[:100])
    assert apply(exported, folder, "--encode", "c.npz") == 3
    complained = capsys.readouterr().err
    assert "2 files could not be read:\n  cut.png: " in complained
    assert "\n  empty.png: cannot identify image file" in complained
    with np.load("c.npz") as codes:
        names, z = codes["file"].tolist(), codes["z"]
    assert names == [
        "animated.gif",
        "cmyk.jpg",
        "grey.png",
        "rgba.png",
        "sixteen.png",
        "turned.png",
    ]
    grey = z[names.index("grey.png")]
    for name in ("animated.gif", "sixteen.png", "turned.png"):
        assert z[names.index(name)] == pytest.approx(grey, abs=1e-4), name


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            ("broken", "--encode", "deep/er/c.csv", "--score", "s.npz", "--reconstruct", "rec"),
            "None of the 2 pictures can be read, such as a.png: ",
        ),
        (("broken", "--sample", 2, "--sampler", "flow", "--out", "new"), "None of the 2 pictures"),
        (("mixed", "--neighbours", 1, "--out", "new"), "--neighbours 1: "),
        (("mixed", "--sample", 2, "--sampler", "flow", "--out", "new"), "--sampler flow: is fit"),
        (("--sample", 2, "--sampler", "mixture", "--out", "new"), "--sampler mixture: "),
        (("--sample", 2, "--out", "pictures/usual"), "--out pictures/usual: holds other files"),
    ],
)
def test_what_is_refused_leaves_no_file_and_no_folder(
    asked: tuple[object, ...],
    message: str,
    apply: Apply,
    exported: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    monkeypatch.setitem(FEWEST, "flow", 2)
    for name in ("broken/a.png", "broken/b.png", "mixed/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture")
    shutil.copy(pictures / "usual" / "00.png", tmp_path / "mixed" / "a.png")
    before = sorted(tmp_path.rglob("*"))
    assert apply(exported, *asked) == 1
    complained = capsys.readouterr().err
    assert complained.startswith(message)
    assert complained.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_pictures_that_do_not_fill_sixteen_bits_are_refused_unless_the_scale_is_known(
    apply: Apply, exported: Path, digits: np.ndarray, tmp_path: Path, capsys: Any
) -> None:
    for name, white in (("twelve/a", 4095), ("twelve/b", 1000), ("mixed/a", 65535), ("mixed/b", 9)):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((digits[0] / 255 * white).astype(np.uint16)).save(path)
    before = sorted(tmp_path.rglob("*"))
    assert apply(exported, "twelve", "--encode", "c.npz", "--reconstruct", "rec") == 1
    complained = capsys.readouterr().err
    assert complained.startswith("The pictures of 16 bits have no value above 4095 of 65535 (a.png")
    assert "a model that was trained with data.range=[0,4095].\n" in complained
    assert complained.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert apply(exported, "mixed", "--encode", "c.npz") == 0  # one of them is dark
    shutil.copytree(exported, tmp_path / "known")
    form = json.loads((exported / "pictures.json").read_text())
    (tmp_path / "known" / "pictures.json").write_text(json.dumps(form | {"scale": [0, 4095]}))
    assert apply("known", "twelve/a.png", "--encode", "d.npz") == 0
    with np.load("c.npz") as codes, np.load("d.npz") as others:
        assert others["z"][0] == pytest.approx(codes["z"][0], abs=0.05)


def test_an_export_says_what_its_run_says(
    apply: Apply, run: Path, exported: Path, pictures: Path
) -> None:
    for name in ("pictures.json", "examples.png", "scores.json"):
        assert (run / name).read_bytes() == (exported / name).read_bytes()
    assert apply(run, pictures, "--score", "a.csv") == 0
    assert apply(exported, pictures, "--score", "b.csv") == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()


def test_what_travels_with_the_model(exported: Path) -> None:
    form = json.loads((exported / "pictures.json").read_text())
    assert form["classes"] == [str(digit) for digit in range(10)]
    assert (form["schema"], form["data"], form["keep"]) == (1, "digits", "square")
    with Image.open(exported / "examples.png") as strip:
        assert strip.size == (8 * 8, 8)


def test_an_export_of_an_earlier_version_says_what_it_lacks(
    apply: Apply, exported: Path, pictures: Path, tmp_path: Path, capsys: Any
) -> None:
    shutil.copytree(exported, tmp_path / "old")
    for name in ("pictures.json", "examples.png", "scores.json"):
        (tmp_path / "old" / name).unlink()
    assert apply("old", pictures, "--score", "s.csv") == 0
    complained = capsys.readouterr().err
    assert "old does not say how its training pictures were fitted: a centred square" in complained
    assert "scores without percentiles: old has none of validation images" in complained
    assert list(rows("s.csv")[0]) == ["file", "squared_error", "minus_log_p_nats"]


def test_a_run_of_an_earlier_version_is_calibrated_once(
    apply: Apply, run: Path, pictures: Path, tmp_path: Path, capsys: Any
) -> None:
    shutil.copytree(run, tmp_path / "old")
    for name in ("pictures.json", "examples.png", "scores.json"):
        (tmp_path / "old" / name).unlink()
    assert apply("old", pictures, "--score", "s.csv") == 0
    assert "old is of an earlier version" in capsys.readouterr().err
    own = json.loads((tmp_path / "old" / "scores.json").read_text())
    theirs = json.loads((run / "scores.json").read_text())
    assert own["weights"] == theirs["weights"]
    for name, values in theirs["scores"].items():
        assert own["scores"][name] == pytest.approx(values, rel=1e-5)


def test_scores_of_other_weights_are_not_taken(
    apply: Apply, exported: Path, pictures: Path, tmp_path: Path, capsys: Any
) -> None:
    shutil.copytree(exported, tmp_path / "other")
    content = json.loads((exported / "scores.json").read_text())
    (tmp_path / "other" / "scores.json").write_text(json.dumps(content | {"weights": "0" * 32}))
    assert apply("other", pictures, "--score", "s.csv") == 0
    assert "scores without percentiles" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("config.json", {"schema": 99}, "later version"),
        ("pictures.json", {"schema": 99}, "pictures.json is of a later version"),
        ("pictures.json", {"keep": "round"}, "pictures.json is damaged"),
        ("pictures.json", {"classes": 3}, "pictures.json is damaged"),
        ("scores.json", {"scores": {"squared_error": [2, 1]}}, "scores.json is damaged"),
        ("scores.json", {"scores": [1]}, "scores.json is damaged"),
    ],
)
def test_damaged_files_are_named(
    file: str,
    change: dict[str, Any],
    message: str,
    apply: Apply,
    exported: Path,
    pictures: Path,
    tmp_path: Path,
    capsys: Any,
) -> None:
    shutil.copytree(exported, tmp_path / "other")
    content = json.loads((exported / file).read_text())
    (tmp_path / "other" / file).write_text(json.dumps(content | change))
    assert apply("other", pictures, "--score", "s.csv") == 1
    complained = capsys.readouterr().err
    assert message in complained
    assert complained.count("\n") == 1
    assert not Path("s.csv").exists()


def test_a_file_that_is_no_model_is_one_sentence(
    apply: Apply, pictures: Path, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "note.txt").write_text("hello")
    assert apply("note.txt", pictures, "--encode", "c.csv") == 1
    complained = capsys.readouterr().err
    assert complained.startswith("note.txt is damaged or no checkpoint")
    assert complained.count("\n") == 1


def test_results_inside_the_folder_of_pictures_are_no_pictures(
    apply: Apply, exported: Path, pictures: Path
) -> None:
    out = ("--reconstruct", pictures / "rec", "--out", pictures / "more", "--sample", "3")
    assert apply(exported, pictures, *out) == 0
    assert apply(exported, pictures, "--encode", "again.npz") == 0
    with np.load("again.npz") as codes:
        assert len(codes["file"]) == 45


@pytest.mark.parametrize("sampler", ["mixture", *LEARNED])
def test_samplers_that_are_fitted_to_the_pictures(
    sampler: str,
    apply: Apply,
    exported: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FEWEST, sampler, 40)
    monkeypatch.setattr("reslag_vae.apply.samplers.UPDATES", 10)
    before = torch.get_rng_state()
    assert apply(exported, pictures, "--sample", "9", "--sampler", sampler) == 0
    assert torch.equal(torch.get_rng_state(), before)
    images = [np.asarray(Image.open(f"applied/samples_{sampler}/{i}.png")) for i in range(1, 10)]
    assert len({image.tobytes() for image in images}) == 9


@pytest.fixture(scope="module")
def asked(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was asked for all samplers."""
    folder = tmp_path_factory.mktemp("asked") / "run"
    shutil.copytree(run, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reslag_vae.apply.samplers.UPDATES", 40)
        for sampler in ("mixture", *LEARNED):
            own_sampler(sampler, folder, reslag_vae.load(folder))
    return folder


@pytest.fixture(scope="module")
def with_samplers(asked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export."""
    folder = tmp_path_factory.mktemp("exports") / "with_samplers"
    export(asked, folder)
    return folder


@pytest.fixture
def brought(with_samplers: Path, tmp_path: Path) -> Path:
    """The export in a folder of the test's own."""
    return Path(shutil.copytree(with_samplers, tmp_path / "brought"))


def test_samplers_travel_with_the_model(
    brought: Path, asked: Path, apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reslag_vae.apply.own_samplers.fitted", None)
    for sampler in ("mixture", *LEARNED):
        samples = ("--sample", "9", "--sampler", sampler)
        assert apply(asked, *samples) == 0
        assert apply(brought, *samples, "--out", "again") == 0
        of_run = Path(f"applied/samples_{sampler}.png").read_bytes()
        assert Path(f"again/samples_{sampler}.png").read_bytes() == of_run


def test_samplers_draw_what_the_training_images_are_encoded_as(asked: Path) -> None:
    model = reslag_vae.load(asked)
    data = Digits("unused", batch_size=16, val_fraction=0.1, seed=0)
    data.setup()
    codes = encode(model, data.split("train")).latents
    for name, sampler in read_samplers(asked, model).items():
        latents = sampler(4000, seed=1)
        assert latents.mean(0) == pytest.approx(codes.mean(0), abs=0.3), name
        assert latents.std(0) == pytest.approx(codes.std(0), rel=0.3), name
        assert sampler(4000, seed=1, temperature=0.5).var(0).sum() < latents.var(0).sum(), name


def test_an_export_without_samplers_says_how_to_have_one(
    apply: Apply, exported: Path, capsys: Any
) -> None:
    assert apply(exported, "--sample", "9", "--sampler", "flow") == 1
    complained = capsys.readouterr().err
    assert complained.startswith("--sampler flow: ")
    assert "brings none along: name pictures to fit it to." in complained
    assert not Path("applied/samples_flow.png").exists()


def test_samplers_of_other_weights_are_not_taken(brought: Path, apply: Apply, capsys: Any) -> None:
    weights = load_file(brought / "model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: weights[name] + 1}, brought / "model.safetensors")
    assert apply(brought, "--sample", "9", "--sampler", "mixture", "--out", "again") == 1
    assert "brings none along" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mixture.means": torch.zeros(10, 3)}, "does not hold a mixture over"),
        ({"mixture.means": torch.zeros(10, 32, dtype=torch.float64)}, "does not hold a mixture"),
        ({"mixture.weights": -torch.ones(10)}, "are no probabilities"),
        ({"mixture.weights": torch.full((10,), torch.nan)}, "numbers that are not finite"),
        ({"mixture.more": torch.zeros(1)}, "what a mixture is made of"),
        ({"flow.mean": torch.zeros(3)}, r"mean is \(3,\) of"),
        ({"flow.more": torch.zeros(1)}, "has no tensor more"),
        ({"two_stage.two_stage.started": torch.zeros(())}, "two_stage.started is"),
        ({"other.mean": torch.zeros(3)}, "other samplers than mixture, flow, two_stage"),
        ({"flow.mean": torch.zeros(32, dtype=torch.float8_e5m2)}, "is of torch.float8_e5m2"),
    ],
)
def test_damaged_samplers_are_one_sentence(
    change: dict[str, torch.Tensor], message: str, brought: Path, asked: Path
) -> None:
    path = brought / "samplers.safetensors"
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    save_file(load_file(path) | change, path, facts)
    with pytest.raises(RunError, match=f"samplers.safetensors is damaged: .*{message}") as raised:
        read_samplers(brought, reslag_vae.load(asked))
    assert "\n" not in str(raised.value)


def test_a_sampler_of_no_finite_numbers_is_one_sentence(
    brought: Path, apply: Apply, capsys: Any
) -> None:
    path = brought / "samplers.safetensors"
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    tensors = load_file(path)
    save_file(tensors | {"flow.spread": torch.full_like(tensors["flow.spread"], 3e38)}, path, facts)
    assert apply(brought, "--sample", "9", "--sampler", "flow") == 1
    assert capsys.readouterr().err == "--sampler flow: draws no finite numbers.\n"


def test_a_sampler_that_cannot_be_kept_is_drawn_from_and_told(
    run: Path, apply: Apply, tmp_path: Path, capsys: Any
) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "samplers.safetensors").mkdir()
    assert apply("run", "--sample", "2", "--sampler", "mixture") == 0
    assert "the mixture is not kept for exports: " in capsys.readouterr().err
    assert Path("applied/samples_mixture.png").is_file()
    notes = json.loads(Path("applied/applied.json").read_text())["samples_mixture"]["notes"]
    assert len(notes) == 1


def test_two_processes_keep_both_samplers(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(asked, tmp_path / "run")
    model = reslag_vae.load(asked)
    samplers = read_samplers(asked, model)
    (tmp_path / "run" / "samplers.safetensors").unlink()

    def meanwhile(name: str, *_: object) -> Any:
        save_samplers(tmp_path / "run", {"flow": samplers["flow"]}, model)
        return samplers[name]

    monkeypatch.setattr("reslag_vae.apply.own_samplers.fitted", meanwhile)
    own_sampler("mixture", tmp_path / "run", model)
    assert set(read_samplers(tmp_path / "run", model)) == {"mixture", "flow"}


def test_a_run_whose_data_are_gone_says_so(
    run: Path, apply: Apply, tmp_path: Path, capsys: Any
) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "config.yaml"
    changed = path.read_text().replace("Digits", "MNIST")
    path.write_text(re.sub(r"(?m)^  root: .*$", "  root: /nowhere", changed))
    assert apply("run", "--sample", "2", "--sampler", "mixture") == 1
    assert capsys.readouterr().err.endswith("data, /nowhere, is not here.\n")


def test_a_damaged_report_is_replaced(exported: Path, apply: Apply) -> None:
    Path("applied").mkdir()
    Path("applied/applied.json").write_text("{")
    assert apply(exported, "--sample", "2") == 0
    assert list(json.loads(Path("applied/applied.json").read_text())) == ["samples_prior"]


def test_neither_lightning_nor_wandb_is_loaded(exported: Path, pictures: Path) -> None:
    code = (
        "import sys; from reslag_vae.apply.command import main\n"
        "main()\n"
        "print({'lightning', 'wandb', 'sklearn', 'torchvision'} & sys.modules.keys())"
    )
    asked = ["--encode", "c.csv", "--score", "s.csv", "--reconstruct", "r", "--neighbours", "2"]
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported), str(pictures), *asked],
        cwd=pictures.parent,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("set()\n"), done.stderr


def test_ctrl_c_leaves_nothing_half_written(exported: Path, pictures: Path, tmp_path: Path) -> None:
    code = (
        "import signal, sys; from reslag_vae.apply import work, command\n"
        "def interrupted(*_):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "work.keep_means = lambda spool: interrupted\n"
        "command.main()"
    )
    (tmp_path / "stopped.py").write_text(code)
    (tmp_path / "here").mkdir()
    asked = ["--encode", "c.csv", "--score", "s.npz", "--neighbours", "2"]
    done = start(
        tmp_path / "here",
        str(exported),
        str(pictures),
        *asked,
        script=str(tmp_path / "stopped.py"),
    )
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")
    assert list((tmp_path / "here").iterdir()) == []
    assert {path.suffix for path in pictures.rglob("*") if path.is_file()} == {".png"}
