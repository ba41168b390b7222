"""What the thesis printed."""

from reslag_vae.studies.report.thesis import SETTINGS, setting_of, table1, title_of
from reslag_vae.variants.titles import TITLES


def test_table1_is_whole() -> None:
    table = table1()
    assert len(table) == 27
    assert {data for data, _ in table} == set(SETTINGS)
    assert {model for _, model in table} == set(TITLES) - {
        "vae",
        "skip_vae",
        "pixelvae",
        "pixelvae_pp",
        "pixelcnn",
        "f_vae",
        "vq_vae",
        "fsq_vae",
        "code_prior",
        "fitted_prior",
        "vq_vae_2",
        "ladder_vae",
        "reslag_deep",
        "vdvae",
        "biva",
    }
    assert table["fashion_mnist", "optimal_sigma"] == {
        "rec": 12.1918,
        "lat": 14.1663,
        "total": -751.9987,
    }
    # The thesis prints one number for both.
    assert table["mnist", "autoencoder"] == {"rec": 15.9744}


def test_pictures_of_cifar10_stand_for_cifar10() -> None:
    assert setting_of("cifar10_folder") == SETTINGS["cifar10"]
    assert title_of("cifar10_folder") == "CIFAR10 pictures"
    assert (setting_of("digits"), title_of("digits")) == (None, "digits")
