"""The field's benchmarks: official files in, the published protocol's numbers out. Nothing heavy loads with this.

`official` keeps a script's quirks, for comparing with published tables; `strict` mends them. docs/score.md says what differs.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from kairos.errors import OptionError

if TYPE_CHECKING:
    from kairos.bench.protocols.protocol import Protocol

__all__ = ["PROTOCOLS", "find"]

PROTOCOLS: dict[str, tuple[str, str]] = {
    "qvhighlights": ("highlights", "QVHighlights: moments and highlights"),
    "tvsum": ("summaries", "TVSum: highlights, top-5 mAP"),
    "youtube-highlights": ("summaries", "YouTube Highlights: mAP"),
    "audio-moments": ("highlights", "audio moment retrieval: UnAV-100, Clotho-Moment, CASTELLA"),
    "charades": ("grounding", "Charades-STA"),
    "charades-timechat": ("grounding", "Charades-STA as TimeChat scores it"),
    "charades-vtimellm": ("grounding", "Charades-STA as VTimeLLM scores it"),
    "charades-mmduet": ("grounding", "Charades-STA as MMDuet scores it"),
    "activitynet": ("grounding", "ActivityNet Captions, grounding"),
    "tacos": ("grounding", "TACoS"),
    "queryd": ("grounding", "QuerYD"),
    "tvgbench": ("grounding", "TVGBench"),
    "didemo": ("didemo", "DiDeMo"),
    "ego4d-nlq": ("nlq", "Ego4D natural language queries"),
    "tvr": ("tvr", "TVR: moments and videos"),
    "hirest": ("hirest", "HiREST: moment retrieval"),
    "hirest-steps": ("hirest", "HiREST: moment segmentation"),
    "nextgqa": ("grounded", "NExT-GQA"),
    "rextime": ("grounded", "ReXTime"),
    "vidstg": ("vidstg", "VidSTG"),
    "tubes": ("tubes", "tubes of boxes: STT-AP"),
    "activitynet-detection": ("detection", "ActivityNet: action detection"),
    "dense-captions": ("captions", "dense captioning: P/R/F1, CIDEr, METEOR, SODA_c"),
    "magqa": ("magqa", "multi-answer grounded QA, from a judge's ratings"),
    "refcoco": ("refcoco", "RefCOCO, RefCOCO+, RefCOCOg: Acc@0.5"),
    "coco": ("coco", "COCO: boxes found in pictures, AP and AR"),
    "lasot": ("trackers", "LaSOT: success, precision, normalised precision"),
    "got10k": ("trackers", "GOT-10k: average overlap, success rates"),
    "vot2016": ("vot", "VOT2016: EAO, accuracy, robustness"),
    "vot2018": ("vot", "VOT2018 and VOT2017: EAO, accuracy, robustness"),
    "vot2019": ("vot", "VOT2019: EAO, accuracy, robustness"),
    "mot": ("mot", "MOTChallenge: CLEAR MOT and identities"),
    "davis": ("masks", "DAVIS, semi-supervised: J, F, J&F"),
    "ref-youtube-vos": ("masks", "Ref-YouTube-VOS: J, F, J&F"),
    "mevis": ("masks", "MeViS: J, F, J&F"),
    "video-mme": ("choices", "Video-MME: multiple choice"),
    "mvbench": ("choices", "MVBench: multiple choice, the mean of its tasks"),
    "mlvu": ("choices", "MLVU: multiple choice, the mean of its tasks"),
    "longvideobench": ("choices", "LongVideoBench: multiple choice"),
    "lvbench": ("choices", "LVBench: multiple choice"),
    "egoschema": ("choices", "EgoSchema: multiple choice"),
    "ovo-bench": ("choices", "OVO-Bench: questions at a time, the mean of three modes"),
    "streamingbench": ("choices", "StreamingBench: questions at a time, with options"),
    "streamingbench-proactive": ("proactive", "StreamingBench: what is to be said as soon as it happens"),
    "videoeval-pro": ("videoeval_pro", "VideoEval-Pro: open answers that were judged, and multiple choice"),
    "cg-bench": ("cgbench", "CG-Bench: answers, clues, and how far they carry"),
    "videozerobench": ("videozero", "VideoZeroBench: five levels"),
    "tempcompass": ("choices", "TempCompass: multiple choice"),
}
"""Name -> (module, what it scores)."""


def find(name: str) -> Protocol[Any, Any]:
    """The protocol of that name; raises OptionError for an unknown one."""
    if name not in PROTOCOLS:
        near = difflib.get_close_matches(name, PROTOCOLS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(PROTOCOLS)}"
        raise OptionError(f"there is no protocol {name!r}", option="task", value=name, hint=hint)
    module = importlib.import_module(f"kairos.bench.protocols.{PROTOCOLS[name][0]}")
    found: Protocol[Any, Any] = module.PROTOCOLS[name]
    return found
