"""Checksums, waits, names and room: the small rules of a download."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from data_pipeline.download.checksums import Checksum, parsed_checksum
from data_pipeline.download.errors import NoSpaceError, RefusedError
from data_pipeline.download.patience import Patience, retry_after_s
from data_pipeline.download.remote_file import mirrored
from data_pipeline.download.space import readable_bytes, require_space


@pytest.mark.parametrize("checksum", [Checksum("md5", "0f" * 16), Checksum("sha256", "0f" * 32)])
def test_a_checksum_is_read_as_it_was_written(checksum: Checksum) -> None:
    assert parsed_checksum(str(checksum)) == checksum


@pytest.mark.parametrize("text", ["", "md5:", "md5:" + "0" * 31, "crc32:00000000", "sha256:zz"])
def test_anything_else_is_no_checksum(text: str) -> None:
    assert parsed_checksum(text) is None


def test_pauses_double_up_to_the_longest_and_are_drawn_from_their_upper_half() -> None:
    patience = Patience(first_pause_s=1, longest_pause_s=5)
    for failures, longest in [(1, 1), (2, 2), (3, 4), (4, 5), (40, 5)]:
        pauses = [patience.pause_s(failures) for _ in range(50)]
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    now = datetime(1999, 12, 31, 23, 59, 0, tzinfo=UTC)
    assert retry_after_s(value, now) == seconds


def test_a_mirror_has_the_same_path_below_its_address() -> None:
    url = "https://storage.googleapis.com/openimages/v5/test.csv"
    assert mirrored(url, None) == url
    assert mirrored(url, "http://host:81/base/") == "http://host:81/base/openimages/v5/test.csv"


def test_a_mirror_must_be_a_web_address() -> None:
    with pytest.raises(RefusedError, match="got 'file:///data'"):
        mirrored("https://host/a", "file:///data")


def test_room_is_asked_of_the_disk_of_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    require_space(tmp_path / "a" / "b", 1)
    with pytest.raises(NoSpaceError, match=r"needs 1000000\.0 TB more and its disk has .* free"):
        require_space(tmp_path / "a" / "b", 10**18)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2.3e9, "2.3 GB")]
)
def test_sizes_are_written_with_decimal_units(size: float, text: str) -> None:
    assert readable_bytes(size) == text
