"""What a trial printed, without secrets: libraries print addresses, also with passwords.

A trial writes the file from any code, native code included, so it is gone through when the trial
has ended, before anything shows or uploads it.
"""

from pathlib import Path

from trackers.redaction import redact

OUTPUT_FILE = "output.log"
MOST_BYTES = 64 * 10**6  # a longer one is cut: nobody reads it, and every trial may have one


def clean_output(folder: Path) -> None:
    """Take secrets out of the output of a trial that has ended; nothing is done without one.

    Raises:
        OSError: It cannot be written anew; it is then as it was.
    """
    file = folder / OUTPUT_FILE
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES)
            is_cut = bool(stream.read(1))
    except FileNotFoundError:
        return
    text = content.decode(errors="replace")
    cleaned = redact(text)
    if cleaned == text and not is_cut:
        return
    draft = file.with_name(f".{file.name}.partial")
    draft.write_text(cleaned, encoding="utf-8")
    draft.replace(file)
