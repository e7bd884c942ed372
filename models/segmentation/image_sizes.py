"""Sides of images that a network takes; torch-free."""


def size_fault(name: str, image_size: int, *, stride: int, multiple: int = 1) -> str | None:
    """Return None where a network takes images of this side, else what must hold.

    Args:
        name: Of the model.
        image_size: Side of the image, pixels.
        stride: Pixels of the image per pixel of the network's smallest map. That must be of 2x2
            pixels: of a single one batch normalisation has nothing to take a variance of.
        multiple: The side must be a multiple of so many pixels.
    """
    least = 2 * stride
    below = image_size // multiple * multiple
    if image_size >= least and below == image_size:
        return None
    rule = f"be at least {least}, for 2 pixels at stride {stride}"
    if multiple > 1:
        rule = f"be a multiple of {multiple}, at least {least}"
    nearest = sorted({max(least, below), max(least, below + multiple)})
    if image_size < least:
        nearest = [least]
    sizes = " or ".join(str(size) for size in nearest)
    return f"image size of {name} must {rule}, got {image_size}; use {sizes}"
