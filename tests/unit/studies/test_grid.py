"""Which runs a study has."""

import pytest

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.studies.grid import Job, folder_label, jobs, seed_after_seed

GRIDS = [
    {"model": ["vae", "beta_vae"], "data": ["mnist", "celeba"]},
    {
        "model": ["lagging", "reslag"],
        "objective": ["sigma_data", "sigma_optimal"],
        "data": ["celeba"],
    },
]


def folders(**chosen: list[str]) -> list[str]:
    return [job.folder for job in jobs(GRIDS, chosen)]


def test_a_study_is_the_union_of_its_grids() -> None:
    assert folders() == [
        "mnist/vae/seed_0",
        "celeba/vae/seed_0",
        "mnist/beta_vae/seed_0",
        "celeba/beta_vae/seed_0",
        "celeba/lagging-sigma_data/seed_0",
        "celeba/lagging-sigma_optimal/seed_0",
        "celeba/reslag-sigma_data/seed_0",
        "celeba/reslag-sigma_optimal/seed_0",
    ]


def test_a_job_has_every_override_and_its_place() -> None:
    [job] = jobs(
        GRIDS,
        {
            "model": ["lagging"],
            "objective": ["sigma_data"],
            "seed": ["3"],
            "trainer.max_epochs": ["5"],
        },
    )
    assert job == Job(
        "celeba/lagging-sigma_data/seed_3",
        ("model=lagging", "objective=sigma_data", "data=celeba", "seed=3", "trainer.max_epochs=5"),
    )
    assert (job.data, job.row) == ("celeba", "lagging-sigma_data")


def test_runs_start_seed_after_seed_each_in_the_order_of_the_grids() -> None:
    asked = jobs(GRIDS, {"seed": ["7", "0", "10"], "data": ["mnist"]})
    assert [job.folder for job in seed_after_seed(asked)] == [
        "mnist/vae/seed_7",
        "mnist/beta_vae/seed_7",
        "mnist/vae/seed_0",
        "mnist/beta_vae/seed_0",
        "mnist/vae/seed_10",
        "mnist/beta_vae/seed_10",
    ]


def test_a_run_of_two_grids_is_run_once() -> None:
    grid = {"model": ["vae"], "data": ["mnist"]}
    assert [job.folder for job in jobs([grid, grid], {})] == ["mnist/vae/seed_0"]


def test_what_is_an_axis_chooses_among_its_values() -> None:
    assert folders(data=["mnist"]) == ["mnist/vae/seed_0", "mnist/beta_vae/seed_0"]
    assert folders(model=["reslag", "vae"], data=["celeba"]) == [
        "celeba/vae/seed_0",
        "celeba/reslag-sigma_data/seed_0",
        "celeba/reslag-sigma_optimal/seed_0",
    ]
    # A grid without the axis has none of its values.
    assert folders(objective=["sigma_optimal"]) == [
        "celeba/lagging-sigma_optimal/seed_0",
        "celeba/reslag-sigma_optimal/seed_0",
    ]
    assert folders(data=["mnist"], objective=["sigma_data"]) == []


def test_several_values_of_another_option_multiply_the_runs() -> None:
    chosen = {"model": ["vae"], "data": ["mnist"], "seed": ["0", "1"], "schedule.ratio": ["1", "3"]}
    assert folders(**chosen) == [
        "mnist/vae-ratio_1/seed_0",
        "mnist/vae-ratio_3/seed_0",
        "mnist/vae-ratio_1/seed_1",
        "mnist/vae-ratio_3/seed_1",
    ]


def test_an_axis_that_is_an_option_is_named() -> None:
    grid = {"model": ["beta_vae"], "objective.beta": ["0.1", "4"], "data": ["mnist"]}
    assert [job.row for job in jobs([grid], {})] == ["beta_vae-beta_0.1", "beta_vae-beta_4"]


@pytest.mark.parametrize("value", ["[a,b]", "x/y", "../up", "a b", "key=1"])
def test_no_value_makes_another_folder_or_needs_quotes(value: str) -> None:
    assert set(folder_label("group.name", value)) <= set("name_abxykey1up..")
    assert "/" not in folder_label("model", value)


def test_two_runs_never_share_a_folder() -> None:
    grid = {"model": ["vae"], "optimizer.lr": ["1e-3", "1e+3"], "data": ["mnist"]}
    with pytest.raises(
        ConfigError, match="mnist/vae-lr_1e_3/seed_0 would be the folder of two runs"
    ):
        jobs([grid], {})


def test_a_value_of_no_grid_is_refused() -> None:
    with pytest.raises(
        ConfigError,
        match=r"model=vqvae is not in this study; there are vae, beta_vae, lagging, resl",
    ):
        jobs(GRIDS, {"model": ["vqvae"]})


def test_a_chosen_value_without_a_run_is_refused_beside_others_that_have_runs() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^model=reslag: no run of this study has it with data=mnist; leave reslag out",
    ):
        jobs(GRIDS, {"model": ["vae", "reslag"], "data": ["mnist"]})
    with pytest.raises(ConfigError, match=r"^model=vae: .* it with objective=sigma_data; leave"):
        jobs(GRIDS, {"model": ["vae", "lagging"], "objective": ["sigma_data"]})


OPEN = [
    {"model": ["vae", "beta_vae"], "data": ["mnist", "celeba", "*"]},
    {"model": ["reslag"], "data": ["celeba"]},
    {"model": ["lagging"], "data": ["cifar10", "*"]},
]


def test_a_grid_may_take_values_of_no_grid() -> None:
    def found(**chosen: list[str]) -> list[str]:
        return [job.folder.removesuffix("/seed_0") for job in jobs(OPEN, chosen)]

    ours = ["digits/vae", "digits/beta_vae", "digits/lagging"]
    assert found(data=["digits"]) == ours
    # What some grid names is for those alone that name it.
    assert found(data=["celeba"]) == ["celeba/vae", "celeba/beta_vae", "celeba/reslag"]
    assert found(data=["mnist", "digits"], model=["vae"]) == ["mnist/vae", "digits/vae"]
    assert found(data=["digits"], model=["reslag"]) == []
    # Without a choice there are those alone that the grids name.
    assert not any("*" in folder or "digits" in folder for folder in found())
    assert len(found()) == 6


def test_a_grid_without_a_place_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"needs data and model; this one has model, seed"):
        jobs([{"model": ["vae"]}], {"seed": ["0"]})
