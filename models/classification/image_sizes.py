"""Sides of images that a network takes; torch-free."""


def too_small(name: str, image_size: int, *, least: int, because: str, usual: int) -> str | None:
    """Return None where images are large enough, else what must hold.

    Args:
        name: Of the model.
        image_size: Side of the image, pixels.
        least: Smallest side that it takes. A network with batch normalisation takes none that
            leaves its last map a single pixel: of that and a single image there is no variance.
        because: What needs it, after "for": "its poolings".
        usual: Side that its authors trained with.
    """
    if image_size >= least:
        return None
    return (
        f"image size of {name} must be at least {least}, for {because}, got {image_size}; use "
        f"{least} or more (its authors': {usual})"
    )
