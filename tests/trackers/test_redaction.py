"""Secrets are left out of text for people, and nothing else is."""

import pytest

from trackers.redaction import holds_secret, is_secret_name, redact, secret_variable

SECRET = "hunter2-and-more"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgresql://ann:{SECRET}@db:5432/runs", "postgresql://ann:***@db:5432/runs"),
        (f"redis://:{SECRET}@db", "redis://:***@db"),
        (f"https://a:p@ss@{SECRET}@host/x", "https://a:***@host/x"),
        (f"https://{SECRET}@host/x", "https://***@host/x"),
        (f"git+https://{SECRET}:@host/x", "git+https://***:@host/x"),
        (f"postgresql://db/x?sslpassword={SECRET}", "postgresql://db/x?sslpassword=***"),
        (f"host=db password={SECRET} user=ann", "host=db password=*** user=ann"),
        (f"{{'password': '{SECRET}', 'user': 'ann'}}", "{'password': '***', 'user': 'ann'}"),
        (f"?token={SECRET}&page=2", "?token=***&page=2"),
        (f"Authorization: Bearer {SECRET}", "Authorization: Bearer ***"),
        (f"aws_secret_access_key = {SECRET}", "aws_secret_access_key = ***"),
    ],
)
def test_what_is_a_secret_by_its_place_is_left_out(text: str, shown: str) -> None:
    assert redact(text, {}) == shown


@pytest.mark.parametrize(
    "address",
    [f"https://{SECRET}@host", f"s3://a:{SECRET}@b", f"postgresql://db/x?password={SECRET}"],
)
def test_an_address_with_a_password_or_token_holds_a_secret(address: str) -> None:
    assert holds_secret(f"see {address}", {})
    assert redact(f"login with {SECRET}", {"STORE": address}) == "login with ***"


def test_a_short_secret_is_hidden_as_a_word_and_not_inside_others() -> None:
    environ = {"MY_KEY": "street"}

    assert redact("street_scenes, streets, 'street'", environ) == "street_scenes, streets, '***'"
    assert holds_secret("a street", environ)
    assert not holds_secret("street_scenes", environ)


def test_a_secret_that_is_an_ordinary_word_mutilates_no_text() -> None:
    text = "postgresql://postgres@db: user postgres is refused"

    assert redact(text, {"PGPASSWORD": "postgres"}) == text


def test_the_variable_whose_secret_is_found_is_named() -> None:
    environ = {"A_TOKEN": "abcdef", "STORE": f"s3://a:{SECRET}@b"}

    assert secret_variable("it is abcdef", environ) == "A_TOKEN"
    assert secret_variable(f"it is {SECRET}", environ) == "STORE"
    assert secret_variable("it is neither", environ) is None


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://ann:{SECRET}@db/runs",
        f"postgresql://db/runs?password={SECRET}",
        f"postgresql://db/runs?user=ann&sslmode=require&password={SECRET}",
    ],
)
def test_an_address_that_holds_a_password_is_known_to(text: str) -> None:
    assert holds_secret(text, {})
    assert not holds_secret(redact(text, {}), {})
    assert redact(f"with {SECRET}", {"DATABASE_URL": text}) == "with ***"


@pytest.mark.parametrize(
    "name",
    [
        "MLFLOW_TRACKING_PASSWORD",
        "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "WANDB_API_KEY",
        "HF_TOKEN",
        "db_secret",
    ],
)
def test_the_value_of_a_variable_that_is_named_as_a_secret_is_left_out(name: str) -> None:
    assert is_secret_name(name)
    assert redact(f"refused: {SECRET}!", {name: SECRET}) == "refused: ***!"


def test_the_password_of_an_address_in_the_environment_is_left_out_by_itself() -> None:
    environ = {"DATABASE_URL": f"postgresql://ann:{SECRET}@db/runs"}

    assert redact(f"login with {SECRET} failed", environ) == "login with *** failed"


def test_a_secret_that_begins_another_does_not_leave_its_end() -> None:
    environ = {"A_TOKEN": "abcdef-abcdef", "B_TOKEN": "abcdef-abcdef-ghi"}

    assert redact("abcdef-abcdef-ghi", environ) == "***"


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/a:b@c",
        "unexpected token: 'x' at line 3",
        "sqlite:////runs/mlflow.db",
        "the key of the mapping is learning_rate",
        "ann@host:/data",
        "https://example.org:8080/x?page=2",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text, {}) == text
    assert not holds_secret(text, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PWD", "/srv/study"),
        ("MONKEY", "a long value"),
        ("TLS_KEY", "/run/secrets/key.pem"),
        ("USES_TOKEN", "true"),
        ("KEYBOARD", "a long value"),
    ],
)
def test_a_variable_without_a_secret_hides_nothing(name: str, value: str) -> None:
    assert redact(f"it is {value}", {name: value}) == f"it is {value}"


def test_text_without_secrets_is_the_same_after_a_second_pass() -> None:
    once = redact(f"postgresql://ann:{SECRET}@db password={SECRET}", {})

    assert redact(once, {}) == once
    assert not holds_secret(once, {})
