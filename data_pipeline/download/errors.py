"""What can go wrong while a dataset is fetched.

DownloadError
├── AbsentError       the server does not have the file; asking again would not help
├── RefusedError      the server, or this program, will not have it so
├── UnreachableError  no answer, or no whole one, after every attempt
├── ChecksumError     what arrived is not what was announced, twice
├── NoSpaceError      the disk cannot hold it
├── UnfinishedError   some files of many did not arrive
├── UnpackError       an archive is damaged, unsafe, or there is no program that opens it
├── BusyError         another process fills the same folder
└── StoppedError      the user stopped it
"""

from data_pipeline.errors import DataError


class DownloadError(DataError):
    """A dataset, or a file of it, could not be fetched."""


class AbsentError(DownloadError):
    """The server does not have the file; asking again would not help."""


class RefusedError(DownloadError):
    """The server, or this program, will not have it so."""


class UnreachableError(DownloadError):
    """No answer, or no whole one, after every attempt."""


class ChecksumError(DownloadError):
    """What arrived is not what was announced, twice."""


class NoSpaceError(DownloadError):
    """The disk cannot hold it."""


class UnfinishedError(DownloadError):
    """Some files of many did not arrive."""


class UnpackError(DownloadError):
    """An archive is damaged, unsafe, or there is no program that opens it."""


class BusyError(DownloadError):
    """Another process fills the same folder."""


class StoppedError(DownloadError):
    """The user stopped it."""
