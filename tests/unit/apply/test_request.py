"""What is refused before anything is loaded or written: one sentence each."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from reslag_vae._runtime.errors import UserError
from reslag_vae.apply.command import parser
from reslag_vae.apply.labels import odd_ones
from reslag_vae.apply.request import SAMPLERS, Request, checked_inputs


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Request]:
    """A request of an export that holds nothing but its name, and of two pictures."""
    model, pictures = tmp_path / "model", tmp_path / "pictures"
    for name in ("usual/a.png", "odd/b.png"):
        (pictures / name).parent.mkdir(parents=True)
        Image.new("L", (4, 4)).save(pictures / name)
    model.mkdir()
    (model / "model.safetensors").write_text("")

    def request(**options: object) -> Request:
        known = {"model": model, "pictures": [pictures]}
        if options.keys() & {"neighbours", "sample"}:
            known["out"] = tmp_path / "out"
        return Request(**known | options)  # type: ignore[arg-type]

    return request


def places(options: dict[str, object], folder: Path) -> dict[str, object]:
    """Options with relative paths in a folder."""
    return {
        name: folder / value if isinstance(value, Path) else value
        for name, value in options.items()
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Nothing is asked for: add --encode"),
        ({"pictures": (), "encode": Path("c.csv")}, "Pictures are missing"),
        ({"sample": 3}, "--sampler prior: takes no pictures"),
        ({"encode": Path("c.txt")}, r"--encode .*c.txt: a file that ends in .csv, .npz or .parq"),
        ({"encode": Path("c.csv"), "score": Path("c.csv")}, "^--encode, --score: .*give each a fi"),
        (
            {"encode": Path("new/neighbours.csv"), "neighbours": 1, "out": Path("new")},
            "^--encode, --neighbours: .*neighbours.csv would be both; give each a file of its own",
        ),
        ({"encode": Path("pictures")}, "a file that ends in"),
        ({"encode": Path("there.csv")}, "there.csv: is there already; add --overwrite"),
        ({"encode": Path("there.csv/c.csv")}, "there.csv cannot be written to"),
        ({"reconstruct": Path("model")}, "model: holds other files; name a new folder"),
        ({"reconstruct": Path("model"), "overwrite": True}, "model: holds other files"),
        ({"reconstruct": Path("pictures")}, "--reconstruct .*pictures: would write among the pict"),
        ({"reconstruct": Path("there.csv")}, "there.csv: is not a folder"),
        ({"neighbours": 1, "out": Path("pictures/odd")}, "--out .*odd: holds other files"),
        (
            {"neighbours": 1, "out": Path("pictures")},
            "--out .*pictures: would write among",
        ),
        ({"neighbours": 1, "out": Path()}, "--out .*: holds other files; name a new folder"),
        ({"neighbours": 1, "out": Path("there.csv")}, "--out .*there.csv: is not a folder"),
        ({"model": Path("gone"), "encode": Path("c.csv")}, "gone: there is no such run, export"),
        ({"model": Path("pictures"), "encode": Path("c.csv")}, "not a run's folder"),
        ({"encode": Path("c.csv"), "odd": ["odd"]}, "--odd: is for --score, which is missing"),
        ({"encode": Path("c.csv"), "temperature": 0.5}, "--temperature: is for --sample"),
        ({"encode": Path("c.csv"), "temperature": 0.0}, "--temperature: is for --sample"),
        ({"encode": Path("c.csv"), "sampler": "mixture"}, "--sampler: is for --sample, which is"),
        ({"encode": Path("c.csv"), "seed": 5, "neighbours": 1}, "--seed: is for --sample, which"),
        ({"encode": Path("c.csv"), "out": Path("new")}, "--out: is for --neighbours and --sample"),
        ({"neighbours": 2}, "--neighbours 2: takes at least 3 pictures, and there are 2"),
        ({"score": Path("s.csv"), "odd": ["oddd"]}, "--odd oddd: no picture .* odd, usual"),
        ({"score": Path("s.csv"), "odd": ["odd", "usual"]}, "--odd: there is no other picture"),
        ({"score": Path("s.csv"), "labels": Path("gone.csv")}, "gone.csv: there is no such file"),
        ({"score": Path("s.csv"), "labels": Path("there.csv")}, "columns file and label"),
        ({"sample": 3, "sampler": "mixture"}, "--sampler mixture: is fitted to at least 10 pict"),
        ({"sample": 3, "sampler": "flow"}, "--sampler flow: is fitted to at least 512 pictures"),
    ],
)
def test_slips(
    options: dict[str, object], message: str, asked: Callable[..., Request], tmp_path: Path
) -> None:
    (tmp_path / "there.csv").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=message) as error:
        checked_inputs(asked(**places(options, tmp_path)))
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_samplers_that_a_model_brings_along_take_no_pictures(asked: Callable[..., Request]) -> None:
    for sampler in SAMPLERS:
        assert checked_inputs(asked(pictures=(), sample=3, sampler=sampler)) is None


def test_a_mixture_without_scikit_learn_names_what_brings_it(
    asked: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reslag_vae.apply.request.is_installed", lambda package: False)
    with pytest.raises(UserError, match=r"^--sampler mixture needs scikit-learn: pip install"):
        checked_inputs(asked(sample=3, sampler="mixture"))


def test_one_picture_has_no_neighbours(asked: Callable[..., Request], tmp_path: Path) -> None:
    one = tmp_path / "pictures" / "odd" / "b.png"
    with pytest.raises(UserError, match="--neighbours 3: takes at least 4 pictures, and there are"):
        checked_inputs(asked(pictures=[one], neighbours=3))


def test_parquet_without_pyarrow_names_what_brings_it(
    asked: Callable[..., Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reslag_vae._runtime.packages.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"needs pyarrow: pip install 'reslag_vae\[apply\]'"):
        checked_inputs(asked(encode=tmp_path / "c.parquet"))


def test_results_may_lie_beside_tables(asked: Callable[..., Request], tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "scores.csv").write_text("file,squared_error")
    assert checked_inputs(asked(neighbours=1, out=tmp_path / "results")) is not None


def test_folders_of_ones_own_may_be_replaced(asked: Callable[..., Request], tmp_path: Path) -> None:
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "applied.json").write_text("{}")
    assert checked_inputs(asked(reconstruct=tmp_path / "rec")) is not None
    (tmp_path / "rec" / "a.png").write_text("")
    with pytest.raises(UserError, match="add --overwrite"):
        checked_inputs(asked(reconstruct=tmp_path / "rec"))
    assert checked_inputs(asked(reconstruct=tmp_path / "rec", overwrite=True)) is not None


def test_results_are_not_written_among_pictures_that_are_results(
    asked: Callable[..., Request], tmp_path: Path
) -> None:
    applied = tmp_path / "applied"
    (applied / "samples_prior").mkdir(parents=True)
    (applied / "applied.json").write_text("{}")
    Image.new("L", (4, 4)).save(applied / "samples_prior" / "1.png")
    Image.new("L", (4, 4)).save(applied / "samples_prior" / "2.png")
    samples = {"pictures": [applied / "samples_prior"], "out": applied}
    assert checked_inputs(asked(**samples, neighbours=1)) is not None
    for options in (
        samples | {"neighbours": 1, "sample": 2},
        samples | {"pictures": [tmp_path / "pictures" / ".." / "applied"], "neighbours": 1},
        samples | {"reconstruct": applied / "samples_prior", "neighbours": 1},
    ):
        with pytest.raises(UserError, match="would write among the pictures; name a new folder"):
            checked_inputs(asked(**options, overwrite=True))


def test_labels_by_folder_and_by_file(tmp_path: Path) -> None:
    names = ["usual/a.png", "odd/b.png", "c.png"]
    assert odd_ones([], None, names) is None
    assert odd_ones(["odd"], None, names) == [False, True, False]
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nusual/a.png,1\nodd/b.png, 0\nother.png,1\n")
    assert odd_ones([], table, names) == [True, False, None]
    table.write_text("label,file\ncat,usual/a.png\ndog,odd/b.png\n")
    assert odd_ones(["dog"], table, names) == [False, True, None]
    with pytest.raises(UserError, match=r"0, and 1 for odd ones, .* There are cat, dog"):
        odd_ones([], table, names)
    table.write_text("file,label\nc.png,1\nc.png,1\nc.png,0\n")
    with pytest.raises(UserError, match=r"c\.png is both 1 and 0; give each picture one label"):
        odd_ones([], table, names)


def test_samples_are_replaced_when_it_is_asked_for_alone(
    asked: Callable[..., Request], tmp_path: Path
) -> None:
    """Also where their grid has been moved away: those beyond the new ones are removed."""
    folder = tmp_path / "out" / "samples_prior"
    folder.mkdir(parents=True)
    (tmp_path / "out" / "applied.json").write_text("{}")
    (folder / "mine.png").touch()
    wanted: dict[str, object] = {"pictures": (), "sample": 3}
    checked_inputs(asked(**wanted))
    (folder / "07.png").touch()
    with pytest.raises(UserError, match="samples_prior: holds samples already; add --overwrite"):
        checked_inputs(asked(**wanted))
    checked_inputs(asked(**wanted, overwrite=True))


def test_labels_of_no_picture_are_told(asked: Callable[..., Request], tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nusual/a.png,0\nodd/b.png,1\nodd/B.png,1\n")
    inputs = checked_inputs(asked(score=tmp_path / "s.csv", labels=table))
    assert inputs is not None
    (note,) = inputs.notes
    assert note.endswith("1 of its 3 files are none of the pictures, such as odd/B.png")


def test_pictures_are_none_of_the_required_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_intermixed_args([])
    assert capsys.readouterr().err.endswith("the following arguments are required: model\n")
    options = parser().parse_intermixed_args(["run", "a", "--encode", "c.csv", "b"])
    assert options.pictures == [Path("a"), Path("b")]
