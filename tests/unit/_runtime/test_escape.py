"""Names of users within other languages."""

import pytest

from reslag_vae._runtime.escape import file_name, markdown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fashion mnist-2.0", "fashion mnist-2.0"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("[a](javascript:b)", "\\[a\\](javascript:b)"),
        ("a|b*c_d`e#f!g\\h~i&j", "a\\|b\\*c_d\\`e#f!g\\\\h\\~i&amp;j"),
        ("one\n\n# two\r\n---\n", "one # two ---"),
        ("# one", "\\# one"),
        ("_a_ _", "\\_a\\_ \\_"),
        ("![a](b)", "!\\[a\\](b)"),
    ],
)
def test_markdown_shows_the_text_as_it_is(text: str, expected: str) -> None:
    assert markdown(text) == expected


def test_a_file_name_leads_nowhere_else() -> None:
    assert file_name("fashion_mnist-2") == "fashion_mnist-2"
    assert file_name("../<x>") == "____x_"
