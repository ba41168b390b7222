"""The InfoVAE with the maximum mean discrepancy."""

from reslag_vae.training.system import BaseVAE


class MMDInfoVAE(BaseVAE):
    """An InfoVAE, which holds the aggregate posterior to the prior.

    Zhao et al. 2018, https://arxiv.org/abs/1706.02262.
    """

    name = "mmd_infovae"
    title = "MMD InfoVAE"
    usual = "mmd"
    requires = frozenset({"mmd"})
