"""Reading YAML: what values mean, where they stand, variables and broken files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from studies.spec.document import Mark, Place, read_document
from studies.spec.problems import StudyFileError

Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 0.0001),
        ("010", 10),
        ("no", "no"),
        ("12:30:45", "12:30:45"),
        ("2026-01-31", "2026-01-31"),
        ("~", None),
        ("true", True),
        ("'1'", "1"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("&x [1]", [1]),
    ],
)
def test_values_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    (tmp_path / "a.yaml").write_text(f"key: {text}\n", encoding="utf-8")

    read = read_document(tmp_path / "a.yaml", {}).data["key"]

    assert read == value
    assert type(read) is type(value)


def test_every_key_and_value_has_its_place(tmp_path: Path) -> None:
    text = "a:\n  b: [1, two]\nempty:\ntext: |\n  long\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")

    assert read_document(tmp_path / "a.yaml", {}).places == {
        (): Place(Mark(1, 1)),
        ("a",): Place(Mark(2, 3), Mark(1, 1)),
        ("a", "b"): Place(Mark(2, 6), Mark(2, 3)),
        ("a", "b", 0): Place(Mark(2, 7)),
        ("a", "b", 1): Place(Mark(2, 10)),
        ("empty",): Place(None, Mark(3, 1)),
        ("text",): Place(Mark(4, 7), Mark(4, 1)),
    }


def test_a_key_that_is_there_twice_is_reported_and_the_first_counts(
    problems: Problems, study_text: str
) -> None:
    assert problems(study_text + "study: other\ntask: zzz\n") == [
        "11:1: study: key 'study' is already set at line 1, column 1; remove one",
        "12:1: task: key 'task' is already set at line 2, column 1; remove one",
    ]


def test_variables_are_filled_in(
    load: Callable[..., object], study_text: str, tmp_path: Path
) -> None:
    (tmp_path / "train.txt").touch()
    text = study_text.replace(
        "dataset: none", "dataset: street_scenes, drawn_in: '${CACHE}/${SUB:-x}'"
    )

    study = load(text, CACHE="/data")

    assert getattr(study, "resolved")["data"]["drawn_in"] == "/data/x"  # noqa: B009


def test_an_unset_variable_is_reported_at_its_text(problems: Problems, study_text: str) -> None:
    text = study_text.replace("dataset: none", "dataset: camvid, root: '${CAMVID_ROOT}'")
    message = (
        "3:31: data.root: environment variable CAMVID_ROOT is not set; "
        "export CAMVID_ROOT=…, or write ${CAMVID_ROOT:-default}"
    )

    assert problems(text) == [message]
    assert problems(text, CAMVID_ROOT="") == [message]


def test_a_broken_variable_is_reported(problems: Problems, study_text: str) -> None:
    assert problems(study_text + "description: cost ${\n") == [
        "11:14: description: a variable must be written ${NAME} or ${NAME:-default}"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: a study file must be a mapping with `study`, `task`, `data`, `model`, …"),
        ("- a\n", "1:1: a study file must be a mapping with `study`, `task`, `data`, `model`, …"),
        ("a: b: c\n", "1:5: not valid YAML: mapping values are not allowed here"),
        ("a: *x\n", "1:4: not valid YAML: found undefined alias 'x'"),
        (
            "a: \x01\n",
            "1:1: not valid YAML: unacceptable character #x0001: "
            "special characters are not allowed",
        ),
    ],
)
def test_a_file_that_is_no_mapping_says_so(problems: Problems, text: str, message: str) -> None:
    assert problems(text) == [message]


def test_an_alias_that_contains_itself_ends_reading(problems: Problems, study_text: str) -> None:
    found = problems(study_text + "baselines: &b [*b]\n")

    assert "an alias must not contain itself; write the value out" in found[0]


def test_a_tag_is_refused(problems: Problems, study_text: str) -> None:
    assert problems(study_text + "description: !env HOME\n") == [
        "11:14: description: tag '!env' is not known here; remove it"
    ]


def test_a_missing_file_says_where_studies_are(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError) as caught:
        read_document(tmp_path / "none.yaml", {})

    assert str(caught.value) == (
        f"{tmp_path / 'none.yaml'}: no such study file; "
        "studies that come with visionstudy are in studies/library"
    )


def test_a_folder_and_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"study: \xff\xfe")

    with pytest.raises(StudyFileError, match="cannot be read: Is a directory"):
        read_document(tmp_path, {})
    with pytest.raises(StudyFileError, match="must be UTF-8 text; byte 7 is not"):
        read_document(tmp_path / "bytes.yaml", {})
