r"""What an agent writes cannot hide from a person, nor look like something else."""

import pytest

from gateway.visible import misleading, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm -rf /tmp/a_b.txt", "rm -rf /tmp/a_b.txt"),
        ("Zoë naïve Łódź Ünal", "Zoë naïve Łódź Ünal"),
        ("関数を消す 함수", "関数を消す 함수"),
        ("a\x1b[31mb", r"a\u{1b}[31mb"),
        ("a\x00\x7f\x9b", r"a\u{0}\u{7f}\u{9b}"),
        ("a\nb\tc\r", r"a\u{a}b\u{9}c\u{d}"),
        ("txt.\u202eexe", r"txt.\u{202e}exe"),
        ("\u2066a\u2069", r"\u{2066}a\u{2069}"),
        ("ad\u200bmin\ufeff", r"ad\u{200b}min\u{feff}"),
        ("a\u00a0b\u3000c\u2028", r"a\u{a0}b\u{3000}c\u{2028}"),
        ("soft\u00adhyphen", r"soft\u{ad}hyphen"),
        ("e\u0301", r"e\u{301}"),
        ("p\u0430ypal", r"p\u{430}ypal"),
        ("\u03bfne", r"\u{3bf}ne"),
        ("\uff41\uff0f", r"\u{ff41}\u{ff0f}"),
        ("\U0001d41a", r"\u{1d41a}"),
        ("\u017f\u0131", r"\u{17f}\u{131}"),
        ("a\u2013b \u2018c\u2019", r"a\u{2013}b \u{2018}c\u{2019}"),
        ("/\u4e3f\u30ce \u4e00", r"/\u{4e3f}\u{30ce} \u{4e00}"),
        ("\u05d0\u0627", r"\u{5d0}\u{627}"),
        ("\ue000\U000e0041", r"\u{e000}\u{e0041}"),
    ],
)
def test_what_could_mislead_is_a_code_point(text: str, shown: str):
    """Controls, direction, no width, look-alikes; what is plain stays as it is."""
    assert visible(text) == shown
    assert misleading(text) == shown.count(r"\u{")


def test_the_callers_own_layout_is_kept():
    """And only that."""
    assert visible("a\nb\r", keep="\n") == "a\nb\\u{d}"
    assert misleading("a\nb\r", keep="\n") == 1
