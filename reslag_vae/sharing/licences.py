"""The names of licences, as a card and the hub know them."""

import re

from reslag_vae._runtime.errors import ConfigError, printable

# Licences that the hub knows by these names; it takes others as `other`, with a name.
HUB_LICENCES = {
    *("afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause"),
    *("bsl-1.0", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0"),
    *("cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0"),
    *("cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0"),
    *("cc-by-nc-sa-4.0", "cdla-permissive-2.0", "ecl-2.0", "epl-2.0", "eupl-1.2", "gpl-2.0"),
    *("gpl-3.0", "isc", "lgpl-2.1", "lgpl-3.0", "mit", "mpl-2.0", "ms-pl", "ncsa", "openrail"),
    *("osl-3.0", "postgresql", "unlicense", "wtfpl", "zlib"),
}


def check_licence(licence: str) -> str:
    """Return the name of a licence.

    Raises:
        ConfigError: it is no name.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}", licence) is None:
        raise ConfigError(
            f"--license {printable(licence)}: a name such as mit, apache-2.0 or cc-by-4.0 is "
            "wanted, of letters, digits, dots, pluses and hyphens."
        )
    return licence
