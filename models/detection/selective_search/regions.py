"""What is known of the areas of a picture: sizes, boxes, colours, textures and neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.detection.selective_search.colours import Picture

COLOUR_BINS = 25  # of each channel
TEXTURE_BINS = 10  # of each channel and direction
DIRECTIONS = 8
SIGMA = 1.0  # pixels, of the derivatives' Gaussian
LEAST_SLOPE = 1e-6  # of a picture of one colour
FULL = 256  # values of a channel

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]
Bins = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PixelBins:
    """The bin of each pixel's colour and texture; the same however a picture is cut up."""

    colours: Bins  # (channels, h, w)
    textures: Bins  # (channels * directions, h, w)


@dataclass(frozen=True, slots=True)
class Regions:
    """The areas of a picture, and room for those that they are going to be grouped into."""

    sizes: Floats  # (n,) pixels
    boxes: Floats  # (n, 4) xyxy, pixels; right and bottom are the first column and row outside
    colours: Floats  # (n, bins) shares, adding up to 1
    textures: Floats  # (n, bins) likewise
    pairs: Labels  # (p, 2) neighbours, each pair once


def pixel_bins(picture: Picture) -> PixelBins:
    """Put colours and derivatives of an (h, w, c) picture into bins.

    The derivatives go from 0 to the greatest of the picture's channel in any direction; those
    against a direction count in the opposite one alone.
    """
    colours = (picture * (COLOUR_BINS / FULL)).astype(np.uint8)
    textures = [_texture(channel) for channel in np.moveaxis(picture, -1, 0)]
    return PixelBins(np.moveaxis(colours, -1, 0), np.concatenate(textures))


def regions_of(labels: Labels, bins: PixelBins) -> Regions:
    """Measure the areas of (h, w) labels, which count from 0 without a gap."""
    sizes = np.bincount(labels.ravel()).astype(np.float64)
    found = ndimage.find_objects((labels + 1).astype(np.int32))
    boxes = [(xs.start, ys.start, xs.stop, ys.stop) for ys, xs in found]
    return Regions(
        sizes,
        np.array(boxes, np.float64),
        _histograms(labels, bins.colours, COLOUR_BINS, sizes),
        _histograms(labels, bins.textures, TEXTURE_BINS, sizes),
        neighbours(labels),
    )


def neighbours(labels: Labels) -> Labels:
    """Return the pairs of areas, (p, 2), that share a side of a pixel; the smaller one first."""
    across = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    down = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    pairs = np.sort(np.concatenate([across, down]), axis=1)
    apart = pairs[pairs[:, 0] != pairs[:, 1]]
    found: Labels = np.unique(apart, axis=0)
    return found


def _texture(channel: NDArray[np.float32]) -> Bins:
    """Return the bin in each direction, (directions, h, w)."""
    down, across = (
        np.asarray(ndimage.gaussian_filter(channel, SIGMA, order=order), np.float32)
        for order in ((1, 0), (0, 1))
    )
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    slopes = [np.cos(angle) * across + np.sin(angle) * down for angle in angles]
    values = np.maximum(0, np.stack(slopes))
    steepest = max(float(values.max()), LEAST_SLOPE)
    bins: Bins = np.minimum(values * (TEXTURE_BINS / steepest), TEXTURE_BINS - 1).astype(np.uint8)
    return bins


def _histograms(labels: Labels, maps: Bins, bins: int, sizes: Floats) -> Floats:
    """Return (areas, maps * bins) shares of each area's pixels in each bin."""
    first = labels.ravel() * bins
    counts = [
        np.bincount(first + each.ravel(), minlength=len(sizes) * bins).reshape(-1, bins)
        for each in maps
    ]
    shares: Floats = np.concatenate(counts, axis=1) / (sizes[:, None] * len(maps))
    return shares
