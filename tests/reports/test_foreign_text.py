import pytest
from markupsafe import Markup

from reports.foreign_text import figure_texts, isolated

SHALOM = "\u05e9\u05dc\u05d5\u05dd"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("learning rate 1e-3", "learning rate 1e-3"),
        ("sauf la première \N{OWL}", "sauf la première \N{OWL}"),
        (f"{SHALOM} 0.43", f"\u2068{SHALOM}\u2069 0.43"),
        (f"{SHALOM} {SHALOM}, {SHALOM}", f"\u2068{SHALOM} {SHALOM}\u2069, \u2068{SHALOM}\u2069"),
        ("car\u202egnp.exe", "car[U+202E]gnp.exe"),
        ("\u2067car", "[U+2067]car"),
        ("", ""),
    ],
)
def test_words_from_right_to_left_are_isolated_and_no_character_turns_a_line(
    text: str, shown: str
) -> None:
    assert isolated(text) == shown


@pytest.mark.parametrize("value", [None, 3, Markup(f"<b>{SHALOM}</b>")])
def test_what_is_no_text_of_others_is_left_alone(value: object) -> None:
    assert isolated(value) is value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>car</b>", "&lt;b&gt;car&lt;/b&gt;"),
        ("&lt;", "&amp;lt;"),
        ("cats & dogs", "cats & dogs"),
        (["<i>", 2, None, ["<i>"]], ["&lt;i&gt;", 2, None, ["&lt;i&gt;"]]),
        (0.5, 0.5),
    ],
)
def test_a_figure_shows_a_tag_as_text(text: object, shown: object) -> None:
    assert figure_texts(text) == shown
