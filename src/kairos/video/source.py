"""Opening a file with PyAV: what may be opened, which streams are used, and where the clock starts.

Only local files and only containers of video are opened: no network protocol, no playlist that could name one, none of
the demuxers that turn any text into pictures.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from kairos.errors import VideoError
from kairos.video.video import StreamInfo

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

__all__ = ["FORMATS", "MAX_DURATION_S", "MAX_PIXELS", "Source", "best_stream", "open_container", "start_of"]

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,flv,live_flv,asf,ogg,gif,h264,hevc,"
    "vvc,m4v,mjpeg,ivf,obu,av1,nut,rm,wtv,mxf,yuv4mpegpipe,dv,vc1,apng,webp_pipe,nsv,swf,vob,h261,h263,dirac,"
    "mp3,wav,flac,aac,aiff,w64,ac3"
)
MAX_PIXELS = 1 << 28  # 16384 x 16384 of luma: 400 MB a frame
TAIL_PACKETS = 24  # read at the end of an MP4 to find its last frame; frames are reordered over at most 16
MAX_DURATION_S = 1e6  # eleven days; a longer claim is a broken header


def open_container(path: str) -> InputContainer:
    """Returns the PyAV container of a local file; raises VideoError."""
    import av

    try:
        return av.open(
            "file:" + os.path.abspath(path),
            mode="r",
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file", "format_whitelist": FORMATS},
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        _check_file(path)
        raise not_a_video(path) from error


@dataclass(frozen=True)
class Source:
    """What a container says about itself; `picture` and `sound` are stream indices.

    `start` is the clock's zero in the container's own time, exact. `duration` and `picture_end` are claims, in seconds
    on the clock; `picture_end` is None where the container does not say it. `cut_at` is about where the file ends, if its
    index points beyond it.
    """

    path: str
    picture: int
    sound: int | None
    start: Fraction
    duration: float
    picture_end: float | None
    rate: float
    pixel_aspect: Fraction
    cut_at: float | None
    streams: tuple[StreamInfo, ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Source:
        """Opens `path` and reads its facts; raises VideoError naming what is wrong and the way out."""
        given = os.fspath(path)
        _check_file(given)
        import av

        with open_container(given) as container:
            try:
                return cls._from(given, container)
            except av.FFmpegError as error:
                raise not_a_video(given) from error

    @classmethod
    def _from(cls, path: str, container: InputContainer) -> Source:
        picture = cast("VideoStream | None", best_stream(container, "video"))
        sound = cast("AudioStream | None", best_stream(container, "audio"))
        if picture is None:
            what = "only sound" if sound is not None else "no stream that can be decoded"
            raise VideoError(
                f"{path} holds {what}, no picture", path=path, hint="give a file with a video stream"
            )
        width, height = picture.codec_context.width, picture.codec_context.height
        if width <= 0 or height <= 0 or width * height > MAX_PIXELS:
            raise VideoError(
                f"{path} claims a picture of {width} x {height} pixels", path=path, hint="the file is broken"
            )
        start = start_of(container, picture, sound)
        picture_end = _end(picture, start)
        if picture_end is not None and "mp4" in container.format.name:
            picture_end = max(picture_end, _last_end(container, picture, start))
        sound_end = None if sound is None else _end(sound, start)
        ends = [end for end in (picture_end, sound_end) if end is not None]
        if picture_end is None and container.duration:
            ends.append(container.duration / 1e6)
        duration = max(ends, default=0.0)
        rate = float(picture.average_rate or picture.guessed_rate or picture.base_rate or 0.0)
        if not 0.0 < duration <= MAX_DURATION_S:
            duration = picture_end = _measured(path, picture.index, start)
        duration = max(duration, 1.0 / rate if rate else 0.0)
        if not 0.0 < duration <= MAX_DURATION_S:
            raise VideoError(f"{path} claims to last {duration:g} s", path=path, hint="the file is broken")
        aspect = picture.sample_aspect_ratio or Fraction(1)
        if not Fraction(1, 16) <= aspect <= 16:
            aspect = Fraction(1)
        used = {picture.index, None if sound is None else sound.index}
        streams = tuple(_info(stream, stream.index in used) for stream in container.streams)
        index = None if sound is None else sound.index
        cut_at = _cut_at(container, picture, start)
        return cls(path, picture.index, index, start, duration, picture_end, rate, aspect, cut_at, streams)

    def seconds(self, pts: int, time_base: Fraction) -> float:
        """Returns the clock time of a timestamp, correctly rounded from the exact ratio."""
        p, q = self.start.numerator, self.start.denominator
        return (pts * time_base.numerator * q - p * time_base.denominator) / (time_base.denominator * q)

    def pts(self, seconds: float, time_base: Fraction) -> int:
        """Returns the last timestamp at or before a clock time."""
        return int((Fraction(seconds) + self.start) // time_base)


def not_a_video(path: str) -> VideoError:
    """The error for a file that no decoder makes sense of."""
    return VideoError(
        f"{path} is not a video, or it was cut so early that nothing decodes",
        path=path,
        hint="check the file with a player, or fetch it again",
    )


def _check_file(path: str) -> None:
    if "\0" in path or not path:
        raise VideoError(
            f"{path!r} is not the name of a file", path=path, hint="give the path of a video file"
        )
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = "give a local file: addresses are not opened" if "://" in path else "check the path"
        raise VideoError(f"{path} does not exist", path=path, hint=hint) from error
    except OSError as error:
        raise VideoError(
            f"{path} cannot be read: {error.strerror}", path=path, hint="check the path"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise VideoError(f"{path} is a directory", path=path, hint="give one video file inside of it")
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(f"{path} is not a regular file", path=path, hint="save the stream to a file first")
    if status.st_size == 0:
        raise VideoError(f"{path} is empty (0 bytes)", path=path, hint="fetch or write it again")
    if not os.access(path, os.R_OK):
        raise VideoError(f"{path} may not be read", path=path, hint="check its permissions")


def best_stream(container: InputContainer, kind: str) -> Stream | None:
    """FFmpeg's choice of stream; cover pictures and streams without a decoder do not count."""
    found = container.streams.best(kind)  # type: ignore[arg-type]
    candidates = [found] if found is not None else []
    candidates += [stream for stream in container.streams if stream.type == kind and stream is not found]
    for stream in candidates:
        if stream.codec_context is not None and not _is_cover(stream):
            return stream
    return None


def _is_cover(stream: Stream) -> bool:
    from av.stream import Disposition

    return Disposition.attached_pic in stream.disposition


def start_of(container: InputContainer, picture: Stream, sound: Stream | None) -> Fraction:
    """The container's start; the stream that starts there says it exactly, the container only to the microsecond."""
    exact = [
        Fraction(stream.start_time) * stream.time_base
        for stream in (picture, sound)
        if stream is not None and stream.start_time is not None and stream.time_base is not None
    ]
    if container.start_time is None:
        return min(exact, default=Fraction(0))
    rough = Fraction(container.start_time, 10**6)
    near = [start for start in exact if abs(start - rough) <= Fraction(2, 10**6)]
    return min(near, default=rough)


def _end(stream: Stream, start: Fraction) -> float | None:
    if stream.duration is None or stream.time_base is None or stream.duration <= 0:
        return None
    begin = Fraction(stream.start_time) * stream.time_base if stream.start_time is not None else start
    end = float(begin + stream.duration * stream.time_base - start)
    return end if 0.0 < end <= MAX_DURATION_S else None


def _last_end(container: InputContainer, picture: Stream, start: Fraction) -> float:
    """The end of the last frames: an MP4's own duration counts in decoding order and may stop before them."""
    import av

    index, end = picture.index_entries, Fraction(0)
    if not len(index):
        return 0.0
    near = index[max(0, len(index) - TAIL_PACKETS)].timestamp
    try:
        container.seek(near, backward=True, any_frame=True, stream=picture)
        for packet in islice(container.demux(picture), 2 * TAIL_PACKETS):
            if packet.pts is not None and packet.time_base is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base - start)
    except av.FFmpegError:
        return 0.0
    return float(end) if end <= MAX_DURATION_S else 0.0


def _cut_at(container: InputContainer, picture: Stream, start: Fraction) -> float | None:
    """Where the data of an MP4 ends, if its index points beyond the end of the file."""
    index = picture.index_entries
    size = container.size
    if "mp4" not in container.format.name or not len(index) or picture.time_base is None or size <= 0:
        return None
    low, high = 0, len(index)  # offsets grow with time: the first entry that is not whole
    while low < high:
        middle = (low + high) // 2
        entry = index[middle]
        low, high = (low, middle) if entry.pos + entry.size > size else (middle + 1, high)
    return None if low == len(index) else max(0.0, float(index[low].timestamp * picture.time_base - start))


def _measured(path: str, index: int, start: Fraction) -> float:
    """Reads all packets for the end of the picture: for containers that do not say it, or say nonsense."""
    import av

    end = Fraction(0)
    with open_container(path) as container:
        try:
            for packet in container.demux(container.streams[index]):
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is not None and packet.time_base is not None:
                    end = max(end, (stamp + (packet.duration or 0)) * packet.time_base - start)
        except av.FFmpegError:
            pass
    return float(end)


def _info(stream: Stream, used: bool) -> StreamInfo:
    context: Any = stream.codec_context
    size = rate = None
    if context is not None and stream.type == "video":
        size, rate = (
            (context.width, context.height),
            float(getattr(stream, "average_rate", None) or 0) or None,
        )
    elif context is not None and stream.type == "audio":
        rate = float(context.sample_rate)
    codec = context.name if context is not None else "unknown"
    return StreamInfo(stream.index, stream.type, codec, used, stream.language, size, rate)
