"""The parser of the commands that Hydra does not compose."""

import pytest

from reslag_vae._runtime.parser import Parser


def test_an_option_of_one_value_is_given_once(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="tell")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--encode", default="a")
    parser.add_argument("--trust", action="append", default=[])
    for parse in (parser.parse_args, parser.parse_intermixed_args):
        for _ in range(2):
            own = parse(["--encode", "a", "--trust", "b", "--trust", "c", "d"])
            assert (own.encode, own.trust, own.files) == ("a", ["b", "c"], ["d"])
        with pytest.raises(SystemExit) as ended:
            parse(["--encode", "a", "d", "--encode", "b"])
        assert ended.value.code == 2
        assert capsys.readouterr().err == (
            "tell: argument --encode: is given twice; give it once\n"
        )
