"""InfoVAE with the maximum mean discrepancy."""

from reslag_vae.training.system import BaseVAE


class MMDInfoVAE(BaseVAE):
    """Zhao et al. 2018, https://arxiv.org/abs/1706.02262: holds the aggregate posterior to the prior."""

    name = "mmd_infovae"
    title = "MMD InfoVAE"
    usual = "mmd"
    requires = frozenset({"mmd"})
