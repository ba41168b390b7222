import re

import torch

from reslag_vae.runs import provenance


def test_versions_and_commit() -> None:
    assert provenance.versions()["torch"] == torch.__version__
    commit = provenance.commit()
    assert commit is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", commit)
