"""A study file is data: it runs nothing, fills no memory, shows no secret, leaves no folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from studies.spec.load import LoadedStudy
from studies.spec.problems import StudyFileError
from studies.spec.secret_checks import MESSAGE

Load = Callable[..., LoadedStudy]
Heads = Callable[..., list[str]]
SECRET = "hunter2-and-more"


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch RAN']",
        "!!python/name:os.system x",
        "!!python/object/new:os.system ['touch RAN']",
        "!!python/module:os x",
        "!include {file: secrets}",
        "!!set {a}",
        "!!binary aGk=",
    ],
)
def test_a_tag_is_refused_where_it_stands_and_builds_nothing(
    value: str, study_text: str, problems: Heads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    found = problems(f"{study_text}description: {value}\n")

    tag = value.split()[0]
    assert found == [f"11:14: description: tag '{tag}' is not known here; remove it"]
    assert not (tmp_path / "RAN").exists()


def test_a_tag_that_its_value_does_not_follow_is_told(study_text: str, problems: Heads) -> None:
    found = problems(study_text.replace("epochs: 2", "epochs: !!int two"))

    assert found == ["5:20: training.epochs: must be a value of kind int, got 'two'"]


def test_aliases_of_aliases_are_not_written_out_without_bound(
    study_text: str, problems: Heads
) -> None:
    lines = ["bomb0: &b0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        aliases = ", ".join([f"*b{level - 1}"] * 10)
        lines.append(f"bomb{level}: &b{level} [{aliases}]")

    (found,) = problems(study_text + "\n".join(lines) + "\n")

    assert "a study file must hold at most 50,000 values" in found


def test_an_alias_is_read_as_what_it_stands_for(study_text: str, load: Load) -> None:
    text = study_text.replace("epochs: 2", "epochs: &two 2, batch_size: *two")

    assert load(text).spec.training.batch_size == 2


@pytest.mark.parametrize("name", ["DB_PASSWORD", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"])
def test_a_variable_that_names_a_secret_is_refused(
    name: str, study_text: str, problems: Heads
) -> None:
    (found,) = problems(f"{study_text}description: see ${{{name}}}\n", **{name: SECRET})

    assert found.startswith(f"11:14: description: {name} names a secret")
    assert SECRET not in found


@pytest.mark.parametrize(
    "value",
    [f"postgresql://ann:{SECRET}@db/runs", "${DATABASE}", f"as {SECRET} was"],
)
def test_a_password_is_refused_however_it_came_into_a_setting(
    value: str, study_text: str, problems: Heads
) -> None:
    environ = {"DATABASE": f"postgresql://ann:{SECRET}@db/runs", "DB_PASSWORD": SECRET}

    (found,) = problems(f"{study_text}description: {value}\n", **environ)

    assert found.startswith(f"11:14: description: {MESSAGE}")
    assert SECRET not in found


def test_a_value_of_the_environment_is_refused_with_the_name_of_its_variable(
    study_text: str, problems: Heads, load: Load
) -> None:
    text = study_text + "description: a street of streets\n"

    (found,) = problems(text, MY_KEY="street")

    assert found.endswith("(it has the value of the variable MY_KEY; if by chance, unset that)")
    assert load(text.replace("a street of", "of"), MY_KEY="street")


def test_a_password_is_refused_in_an_override(study_text: str, problems: Heads) -> None:
    override = f"description=https://ann:{SECRET}@host"

    (found,) = problems(study_text, overrides=[override])

    assert found == f"--set description=https://ann:***@host: description: {MESSAGE}"


def test_a_password_is_not_shown_in_the_line_that_holds_it(study_text: str, load: Load) -> None:
    with pytest.raises(StudyFileError) as caught:
        load(f"{study_text}description: https://ann:{SECRET}@host\n")

    assert SECRET not in str(caught.value)
    assert "description: https://ann:***@host" in str(caught.value)


def test_a_secret_in_a_comment_is_not_kept(study_text: str, load: Load) -> None:
    text = load(f"# from postgresql://ann:{SECRET}@db\n{study_text}").text

    assert text == f"# from postgresql://ann:***@db\n{study_text}"


@pytest.mark.parametrize(
    "name", ["../other", "/etc", "..", "a/b", "A", "-x", "a\\b", ".hidden", "~", "a\nb", ""]
)
def test_a_name_cannot_leave_the_workspace(name: str, study_text: str, problems: Heads) -> None:
    quoted = name.replace("\\", "\\\\").replace("\n", "\\n")

    (found,) = problems(study_text.replace("study: demo", f'study: "{quoted}"'))

    assert found.startswith("1:8: study: must ")
