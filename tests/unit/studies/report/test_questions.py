"""Is one row better than another?"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from scipy import stats

from reslag_vae.runs.formats import read_arrays, write_arrays
from reslag_vae.studies.plan import Question
from reslag_vae.studies.report.finished import read_finished_runs
from reslag_vae.studies.report.grouping import rows_of
from reslag_vae.studies.report.questions import Answer, Comparison, answers, interval_count

MakeRun = Callable[..., Path]
ASKED = Question("Is a better than b?", "a", "b")


def compared(study: Path, question: Question = ASKED) -> dict[str, Comparison]:
    [own] = answers([question], rows_of(read_finished_runs(study))["mnist"])
    return {comparison.measure: comparison for comparison in own.comparisons}


def test_one_seed_answers_for_the_trained_models_alone(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/a/seed_0", rec=9.0)
    make_run("mnist/b/seed_0", rec=10.0)
    found = compared(study)
    assert set(found) == {"ELBO, yardstick", "Rec"}
    assert found["Rec"].difference == pytest.approx(-1, rel=1e-5)
    # Rec / (2 · 0.0125), with the same KL.
    assert found["ELBO, yardstick"].difference == pytest.approx(40, rel=1e-5)
    for comparison in found.values():
        assert (comparison.of_models, comparison.of_methods) == (Answer.YES, Answer.NOT_RESOLVED)
        assert (comparison.seeds, comparison.shared_seeds) == (None, 1)


def test_noise_is_not_sharper_than_the_originals(make_run: MakeRun, study: Path) -> None:
    for row, sharpness in {"a": 0.9, "b": 2.0}.items():
        make_run(
            f"mnist/{row}/seed_0",
            evaluation={"sharpness": {"sharpness_samples": {"value": sharpness}}},
        )
    [found] = compared(study, ASKED._replace(by=("sharpness_samples",))).values()
    assert found.difference == pytest.approx(0.1 - 1.0)
    assert not found.higher_is_better
    # An evaluation of an earlier version has kept no powers of images.
    assert (found.images, found.of_models) == (None, Answer.NOT_RESOLVED)


def test_sharpness_is_compared_image_by_image(make_run: MakeRun, study: Path) -> None:
    generator = np.random.default_rng(0)
    original = generator.gamma(2, size=400)
    powers = {}
    for row, share in {"a": 0.9, "b": 1.3}.items():
        powers[row] = own = original * share * generator.uniform(0.8, 1.2, size=400)
        number = {"value": float(own.mean() / original.mean())}
        folder = make_run(
            f"mnist/{row}/seed_0", evaluation={"sharpness": {"sharpness_samples": number}}
        )
        arrays = {"upper_power_originals": original, "upper_power_samples": own}
        write_arrays(folder / "evaluation.npz", arrays)
    [found] = compared(study, ASKED._replace(by=("sharpness_samples",))).values()
    assert found.images is not None

    # The ratios of images drawn anew, by SciPy.
    def difference(x: np.ndarray, a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        mean = x.mean(axis)
        return abs(1 - a.mean(axis) / mean) - abs(1 - b.mean(axis) / mean)

    expected = stats.bootstrap(
        (original, powers["a"], powers["b"]),
        difference,
        paired=True,
        n_resamples=2000,
        method="percentile",
        rng=0,
    ).confidence_interval
    width = expected.high - expected.low
    assert (found.images.low, found.images.high) == pytest.approx(expected, abs=0.06 * width)
    assert found.images.difference == pytest.approx(found.difference)
    assert found.of_models is Answer.YES


def test_under_a_mass_the_yardstick_is_the_models_own_bound(make_run: MakeRun, study: Path) -> None:
    """Whatever Rec is: of a PixelCNN it is no distance between an image and its reconstruction."""
    for name, nll in (("a", 80.0), ("b", 83.0)):
        folder = make_run(f"mnist/{name}/seed_0", rec=9.0)
        own = read_arrays(folder / "per_image.npz")
        write_arrays(folder / "per_image.npz", own | {"nll": np.full_like(own["rec"], nll)})
    assert compared(study)["ELBO, yardstick"].difference == pytest.approx(3, rel=1e-5)


def test_nats_of_a_mass_are_not_compared_with_those_of_a_density(
    make_run: MakeRun, study: Path
) -> None:
    for name in ("a", "b"):
        evaluated(make_run(f"mnist/{name}/seed_0", mutual_information=1.0), -80.0)
    folder = study / "results/mnist/a/seed_0"
    config = OmegaConf.load(folder / "config.yaml")
    config.likelihood = {"_target_": "reslag_vae.likelihoods.Bernoulli"}
    OmegaConf.save(config, folder / "config.yaml")
    assert list(compared(study)) == ["Rec"]
    assert list(compared(study, KEPT)) == ["mutual information", "active units"]
    rows = rows_of(read_finished_runs(study))["mnist"]
    assert answers([ASKED._replace(margin=0.01)], rows) == []


def test_an_interval_that_answers_two_questions_is_counted_once(
    make_run: MakeRun, study: Path
) -> None:
    for name in ("a", "b"):
        make_run(f"mnist/{name}/seed_0")
    rows = rows_of(read_finished_runs(study))["mnist"]
    again = ASKED._replace(text="And by its ELBO alone?", by=("elbo",))
    assert interval_count(answers([ASKED], rows)) == 2
    assert interval_count(answers([ASKED, again], rows)) == 2


def evaluated(folder: Path, bound: float, count: int = 20, **settings: int) -> None:
    """Give a run an evaluation whose bounds of images differ from those of others by a constant."""
    values = bound + np.random.default_rng(0).normal(size=count)
    write_arrays(folder / "evaluation.npz", {"importance_weighted_bound": values})
    number = {"importance_weighted_bound": {"value": float(values.mean())}}
    content = {"numbers": {"likelihood": number}, "epoch": 39, "settings": settings}
    (folder / "evaluation.json").write_text(json.dumps(content))


KEPT = ASKED._replace(by=("importance_weighted_bound", "mutual_information", "active_units"))


def test_a_study_says_by_which_measures_it_asks(make_run: MakeRun, study: Path) -> None:
    for seed in range(3):
        first = make_run(f"mnist/a/seed_{seed}", mutual_information=3.0 + 0.1 * seed)
        second = make_run(f"mnist/b/seed_{seed}", mutual_information=1.0, active_units=12.0)
        evaluated(first, -80.0)
        evaluated(second, -83.0 - 0.01 * seed)
    found = compared(study, KEPT)
    bound, information, units = found.values()
    assert bound.images is not None
    assert (bound.images.low, bound.images.high) == pytest.approx((3.01, 3.01))
    assert bound.of_methods is Answer.YES
    # No single image has a mutual information: the seeds alone answer.
    assert (information.images, information.of_models) == (None, Answer.NOT_RESOLVED)
    assert information.difference == pytest.approx(2.1)
    assert information.of_methods is Answer.YES
    assert (units.difference, units.of_methods) == (-2, Answer.NO)


@pytest.mark.parametrize(
    ("setting", "compares"),
    [("seed", False), ("samples", False), ("reference", False), ("train_images", True)],
)
def test_bounds_of_other_images_or_samples_are_not_compared(
    setting: str, compares: bool, make_run: MakeRun, study: Path
) -> None:
    evaluated(make_run("mnist/a/seed_0", mutual_information=1.0), -80.0, **{setting: 20})
    evaluated(make_run("mnist/b/seed_0", mutual_information=1.0), -83.0, **{setting: 50})
    bound = ["IW bound"] if compares else []
    assert list(compared(study, KEPT)) == [*bound, "mutual information", "active units"]


@pytest.mark.parametrize(
    ("setting", "compares"), [("seed", False), ("reference", False), ("samples", True)]
)
def test_sharpness_of_other_images_is_not_compared(
    setting: str, compares: bool, make_run: MakeRun, study: Path
) -> None:
    for name, value in (("a", 20), ("b", 50)):
        folder = make_run(f"mnist/{name}/seed_0", mutual_information=1.0)
        number = {"sharpness": {"sharpness_samples": {"value": 0.3}}}
        content = {"numbers": number, "epoch": 39, "settings": {setting: value}}
        (folder / "evaluation.json").write_text(json.dumps(content))
    found = compared(study, ASKED._replace(by=("sharpness_samples", "mutual_information")))
    sharpness = ["sharpness, samples: distance from 1"] if compares else []
    assert list(found) == [*sharpness, "mutual information"]


def test_pairs_of_other_images_have_no_mean_difference(make_run: MakeRun, study: Path) -> None:
    """Each pair compares, and the seeds' images are not the same, nor even as many."""
    for seed, count in enumerate((20, 30)):
        for name in ("a", "b"):
            folder = make_run(f"mnist/{name}/seed_{seed}", mutual_information=1.0)
            evaluated(folder, -80.0, count, reference=count)
    assert list(compared(study, KEPT)) == ["mutual information", "active units"]


def test_of_a_decoder_without_a_mean_there_is_no_rec(make_run: MakeRun, study: Path) -> None:
    """Its Rec would be of each pixel given the true ones before it."""
    for name in ("a", "b"):
        folder = make_run(f"mnist/{name}/seed_0")
        config = OmegaConf.load(folder / "config.yaml")
        config.likelihood = {"_target_": "reslag_vae.likelihoods.PixelCNN"}
        OmegaConf.save(config, folder / "config.yaml")
    assert list(compared(study)) == ["ELBO, yardstick"]
    [row, _] = rows_of(read_finished_runs(study))["mnist"]
    assert row.term("rec") is None


def test_images_are_paired(make_run: MakeRun, study: Path) -> None:
    """What the images have in common does not count, and what each run has of its own does."""
    first, second = make_run("mnist/a/seed_0", rec=9.99), make_run("mnist/b/seed_0", rec=10.0)
    interval = compared(study)["Rec"].images
    assert interval is not None
    own = [read_arrays(folder / "per_image.npz")["rec"].astype(float) for folder in (first, second)]
    error = (own[0] - own[1]).std(ddof=1) / np.sqrt(50)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert error < 0.3 * own[0].std(ddof=1) / np.sqrt(50)


def test_seeds_count_alike(make_run: MakeRun, study: Path) -> None:
    for seed, rec in enumerate((9.0, 9.5, 9.7)):
        make_run(f"mnist/a/seed_{seed}", rec=rec)
        make_run(f"mnist/b/seed_{seed}", rec=10.0)
    rec_ = compared(study)["Rec"]
    assert rec_.seeds is not None
    assert (rec_.difference, rec_.seeds.difference) == pytest.approx((-0.6, -0.6), rel=1e-5)
    assert (rec_.seeds.low, rec_.seeds.high) == pytest.approx(
        (-0.6 - 0.8957, -0.6 + 0.8957), abs=1e-3
    )


def test_seeds_that_agree_do_not_answer_what_images_leave_open(
    make_run: MakeRun, study: Path
) -> None:
    # Three seeds that differ by next to nothing, and far less than the images say.
    for seed in range(3):
        make_run(f"mnist/a/seed_{seed}", rec=10 - 1e-3 - 1e-5 * seed)
        make_run(f"mnist/b/seed_{seed}", rec=10.0)
    rec_ = compared(study)["Rec"]
    assert rec_.seeds is not None
    assert rec_.seeds.excludes_zero
    assert (rec_.of_models, rec_.of_methods) == (Answer.NOT_RESOLVED, Answer.NOT_RESOLVED)


def test_other_settings_than_the_question_is_about_are_told(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/a/seed_0", settings={"schedule.ratio": 1, "network.latent_dim": 3})
    make_run("mnist/b/seed_0", epochs=20, settings={"data.batch_size": 64})
    [own] = answers([ASKED], rows_of(read_finished_runs(study))["mnist"])
    assert own.setting_differences == [
        "trainer.max_epochs 40 and 20",
        "data.batch_size None and 64",
    ]


def test_seeds_that_agree_answer_for_the_methods(make_run: MakeRun, study: Path) -> None:
    for seed in range(3):
        make_run(f"mnist/a/seed_{seed}", rec=11 + 0.1 * seed)
        make_run(f"mnist/b/seed_{seed}", rec=10 + 0.11 * seed)
    found = compared(study)
    assert {comparison.of_methods for comparison in found.values()} == {Answer.NO}
    assert {comparison.shared_seeds for comparison in found.values()} == {3}


def test_seeds_that_disagree_resolve_nothing(make_run: MakeRun, study: Path) -> None:
    for seed, rec in enumerate((9.0, 9.9, 10.5)):
        make_run(f"mnist/a/seed_{seed}", rec=rec)
        make_run(f"mnist/b/seed_{seed}", rec=10.0)
    rec_ = compared(study)["Rec"]
    assert rec_.of_models is Answer.YES
    assert rec_.of_methods is Answer.NOT_RESOLVED


def test_only_seeds_of_both_are_compared(make_run: MakeRun, study: Path) -> None:
    for place in ("a/seed_0", "a/seed_1", "b/seed_1", "b/seed_2"):
        make_run(f"mnist/{place}", rec=9.0 if place[0] == "a" else 10.0)
    assert {comparison.shared_seeds for comparison in compared(study).values()} == {1}


def test_a_point_posterior_is_compared_by_rec_alone(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/a/seed_0", kl=None)
    make_run("mnist/b/seed_0")
    assert set(compared(study)) == {"Rec"}


def test_what_cannot_be_answered_is_left_out(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/a/seed_0")
    (make_run("mnist/c/seed_0") / "per_image.npz").unlink()
    make_run("mnist/d/seed_0", images=(57_000, 3_000, 40))
    rows = rows_of(read_finished_runs(study))["mnist"]
    questions = [Question("?", "a", other) for other in ("b", "c", "d")]
    assert answers([*questions, Question("?", "a", "a", ("celeba",))], rows) == []


SAME = Question("Are a and b the same, to 0.01 bits/dim?", "a", "b", margin=0.01)


@pytest.mark.parametrize(
    ("rec", "expected"),
    [(10.0, Answer.YES), (10.05, Answer.YES), (12.0, Answer.NO), (8.0, Answer.NO)],
)
def test_equivalence_is_asked_within_a_margin(
    rec: float, expected: Answer, make_run: MakeRun, study: Path
) -> None:
    for seed in range(4):
        make_run(f"mnist/a/seed_{seed}", rec=rec + 0.001 * seed)
        make_run(f"mnist/b/seed_{seed}", rec=10.0)
    [(measure, found)] = compared(study, SAME).items()
    assert measure == "bits/dim, to within 0.01"
    # Rec / (2 · 0.0125) in nats, with the same KL, over 784 numbers.
    assert found.images.difference == pytest.approx(
        (rec - 10 + 0.0015) * 40 / (784 * np.log(2)), abs=1e-4
    )
    assert (found.of_models, found.of_methods) == (expected, expected)


def test_what_is_not_known_is_neither_the_same_nor_different(
    make_run: MakeRun, study: Path
) -> None:
    for seed, difference in enumerate((-1.0, 1.0, 0.0)):
        make_run(f"mnist/a/seed_{seed}", rec=10.0 + difference)
        make_run(f"mnist/b/seed_{seed}", rec=10.0)
    [found] = compared(study, SAME).values()
    assert found.of_methods is Answer.NOT_RESOLVED


def test_runs_that_were_tested_on_other_images_are_not_paired(
    make_run: MakeRun, study: Path
) -> None:
    for row, digest in (("a", "0" * 64), ("b", "1" * 64)):
        folder = make_run(f"mnist/{row}/seed_0")
        result = json.loads((folder / "metrics.json").read_text())
        result["inventory"] = {"digests": {"test": digest}, "notes": []}
        (folder / "metrics.json").write_text(json.dumps(result))
    assert answers([ASKED], rows_of(read_finished_runs(study))["mnist"]) == []
