"""Under which terms each dataset is given, and how its authors want to be named.

What the dataset's pages say, in short; the pages themselves decide.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Licence:
    """Terms of a dataset."""

    annotations: str
    pictures: str
    attribution: str
    page: str


OPEN_IMAGES = Licence(
    annotations="CC BY 4.0, Google LLC",
    pictures="listed as CC BY 2.0, each by its own author; the image list beside the pictures "
    "names author, licence and source of each. Google does not warrant the licence of any one: "
    "verify it for your use",
    attribution="Kuznetsova et al., The Open Images Dataset V4, IJCV 2020; "
    "Benenson et al., CVPR 2019 (boxes)",
    page="https://storage.googleapis.com/openimages/web/factsfigures_v7.html",
)
COCO = Licence(
    annotations="CC BY 4.0, COCO Consortium",
    pictures="not owned by the COCO Consortium: each under the Flickr licence that its "
    "'license' field names, and Flickr's terms of use",
    attribution="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014",
    page="https://cocodataset.org/#termsofuse",
)
VOC = Licence(
    annotations="no licence stated; given for research",
    pictures="from Flickr, used under Flickr's terms of use; their authors keep the rights",
    attribution="Everingham et al., The PASCAL Visual Object Classes (VOC) Challenge, IJCV 2010",
    page="http://host.robots.ox.ac.uk/pascal/VOC/",
)
UCF101 = Licence(
    annotations="no licence stated; given for research",
    pictures="clips of YouTube videos; no licence stated, given for research",
    attribution="Soomro, Zamir and Shah, UCF101: A Dataset of 101 Human Actions Classes From "
    "Videos in The Wild, CRCV-TR-12-01, 2012",
    page="https://www.crcv.ucf.edu/data/UCF101.php",
)
