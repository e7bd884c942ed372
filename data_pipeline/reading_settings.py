"""Which settings decide what reading a sample gives: part of the name of what is kept of it."""

from data_pipeline.settings import NO_EFFECT, DataSettings

# What changes neither decoded pixels nor labels, beside the fields that have no effect at all.
OF_OTHER_STEPS = frozenset({"augment", "balance", "normalize", "limit", "split", "folds", "clip"})


def reading_settings(settings: DataSettings, without: frozenset[str] = frozenset()) -> str:
    """Return the settings that reading depends on, as JSON; the same ones, the same text."""
    left_out = OF_OTHER_STEPS | without
    left_out |= {
        name
        for name, field in type(settings).model_fields.items()
        if field.json_schema_extra == NO_EFFECT
    }
    return settings.model_dump_json(exclude=set(left_out))
