"""The workspace on W&B: its specification, without an account and a network."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from reslag_vae import cli
from reslag_vae._runtime.errors import UserError
from reslag_vae.options.metrics import METRICS
from reslag_vae.runs import dashboard
from reslag_vae.runs.dashboard import main, panels, save, workspace

# What a run logs beside its metrics, under names of their own.
OTHERS = {
    "sigma2/mean",
    "sigma2/min",
    "sigma2/max",
    "images_per_second",
    "step/loss",
    "codes",
    *(f"figures/{name}" for name in ("reconstructions", "prior_samples")),
    *(f"figures/{name}" for name in ("kl_per_dimension", "curves")),
}


def test_every_panel_shows_what_runs_log() -> None:
    metrics = {*METRICS, *(name.replace("val/", "best/test/") for name in METRICS)}
    for section in panels().values():
        for panel in section:
            assert set(panel.keys) <= metrics | OTHERS
            assert len(panel.keys) == 2 or panel.kind != "scatter"


@pytest.mark.filterwarnings("ignore")  # of the package, while it is imported
def test_the_workspace_holds_every_panel() -> None:
    pytest.importorskip("wandb_workspaces", reason="wandb-workspaces is not installed")
    content = workspace("me", "mine", "objective")._to_model().model_dump_json()
    for section, found in panels().items():
        assert section in content
        for panel in found:
            assert all(f'"{key}"' in content for key in panel.keys)
    assert "config" in content
    assert "objective" in content


def test_what_wandb_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise RuntimeError("No API key configured.\nMore lines")

    made = SimpleNamespace(save=refuse)
    monkeypatch.setattr(dashboard, "workspace", lambda *_: made)
    with pytest.raises(UserError, match=r"^W&B does not take .* of me/mine \(No API key config"):
        save("me", "mine", "model")


def test_the_address_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    asked: list[tuple[str, ...]] = []
    saved = SimpleNamespace(url="https://wandb.example/me/p")
    made = SimpleNamespace(save=lambda: saved)
    monkeypatch.setattr(dashboard, "workspace", lambda *own: asked.append(own) or made)
    main(["--entity", "me", "--project", "p", "--group", "data"])
    assert capsys.readouterr().out == "https://wandb.example/me/p\n"
    assert asked == [("me", "p", "data")]


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("reslag_vae._runtime.packages.find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["reslag"])
    monkeypatch.setenv("RESLAG_COMMAND", "")
    with pytest.raises(SystemExit, match="1"):
        cli.main(["dashboard", "--entity", "me"])
    wanted = "reslag dashboard needs wandb_workspaces: pip install 'reslag_vae[dashboard]'\n"
    assert capsys.readouterr().err == wanted
