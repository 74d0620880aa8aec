"""What a configuration can name, and the ``module:object`` behind each name.

Declarations only. Code fingerprints leave this module out, so that a new line re-runs nothing: which name a
rule uses is in its params, and the module behind it counts by way of ``study.loaded``.
"""

from __future__ import annotations

_READERS = "vfm_fusion.datasets.readers"
_ENCODERS = "vfm_fusion.encoders"
_OPERATORS = "vfm_fusion.fusion.operators"
_MATCHERS = "vfm_fusion.segmentation.matching"
_PREDICTORS = "vfm_fusion.selection.predictors"
_UPSAMPLING = "vfm_fusion.upsampling"

READERS: dict[str, str] = {
    "acdc": f"{_READERS}.acdc:READER",
    "ade20k": f"{_READERS}.ade20k:READER",
    "bdd100k": f"{_READERS}.bdd100k:READER",
    "berkeley": f"{_READERS}.click_sets:BERKELEY",
    "camvid": f"{_READERS}.camvid:READER",
    "cityscapes": "vfm_fusion.datasets.cityscapes:READER",
    "coco": f"{_READERS}.own_coco:READER",
    "coco_instance": f"{_READERS}.coco_instance:READER",
    "coco_mval": f"{_READERS}.click_sets:COCO_MVAL",
    "coco_panoptic": f"{_READERS}.coco_panoptic:READER",
    "coco_stuff": f"{_READERS}.coco_stuff:READER",
    "davis": f"{_READERS}.click_sets:DAVIS",
    "folder": f"{_READERS}.own_folder:READER",
    "grabcut": f"{_READERS}.click_sets:GRABCUT",
    "gta5": f"{_READERS}.gta5:READER",
    "hqseg44k": f"{_READERS}.hqseg44k:READER",
    "kitti360": f"{_READERS}.kitti360:READER",
    "mapillary": f"{_READERS}.mapillary:READER",
    "miniscapes": "vfm_fusion.datasets.cityscapes:READER",
    "sbd": f"{_READERS}.sbd:READER",
    "synscapes": f"{_READERS}.synscapes:READER",
    "synthia": f"{_READERS}.synthia:READER",
    "tetris": f"{_READERS}.tetris:READER",
    "urbansyn": f"{_READERS}.urbansyn:READER",
}
"""The one list of data set kinds: each with the ``module:name`` of its reader, which has all other facts."""

OPERATORS: dict[str, str] = {
    "replace": f"{_OPERATORS}:Replace",
    "concat": f"{_OPERATORS}:Concat",
    "gated": f"{_OPERATORS}:Gated",
}
"""The one list of fusion operators: each with the ``module:name`` of its class, an ``Injection``."""

FAMILIES: dict[str, str] = {
    "vit": f"{_ENCODERS}.timm_models:TimmViT",
    "sam": f"{_ENCODERS}.timm_models:TimmSam",
    "maskclip": f"{_ENCODERS}.maskclip:MaskClip",
    "hierarchical": f"{_ENCODERS}.timm_models:TimmHierarchical",
    "cnn": f"{_ENCODERS}.timm_models:TimmCNN",
    "squeezenet": f"{_ENCODERS}.cnns:SqueezeNet",
    "r2d2": f"{_ENCODERS}.cnns:R2D2",
    "pidinet": f"{_ENCODERS}.cnns:PiDiNet",
}
"""The one list of encoder families: each with the ``module:name`` of its class, an ``Encoder``."""

TOKEN_FAMILIES = ("vit", "sam", "maskclip")
"""Families of plain ViTs, whose class is a ``TokenEncoder``."""

MATCHERS: dict[str, str] = {
    "hungarian": f"{_MATCHERS}:HungarianMatcher",
    "identity": f"{_MATCHERS}:IdentityMatcher",
}
"""The one list of matchers: each with the ``module:name`` of its class, a ``Matcher``."""

RULES: dict[str, str] = {
    "ef_above_null": f"{_PREDICTORS}:EF_ABOVE_NULL",
    "ef_lead": f"{_PREDICTORS}:EF_LEAD",
    "sc_lead": f"{_PREDICTORS}:SC_LEAD",
    "rankme": f"{_PREDICTORS}:RANKME",
    "unlikeness": f"{_PREDICTORS}:UNLIKENESS",
    "ef_times_unlikeness": f"{_PREDICTORS}:EF_TIMES_UNLIKENESS",
    "rankme_times_unlikeness": f"{_PREDICTORS}:RANKME_TIMES_UNLIKENESS",
}
"""The label-free scores whose highest value may set the stride instead of the paper's peak of EF."""

PREDICTORS: dict[str, str] = {
    "ef": f"{_PREDICTORS}:EF",
    **RULES,
    "probe": f"{_PREDICTORS}:PROBE",
}
"""All scores that are compared by how well they predict the best stride, each a ``StrideScore``."""

UPSAMPLERS: dict[str, str] = {
    "none": f"{_UPSAMPLING}.interpolation:NoUpsampling",
    "nearest": f"{_UPSAMPLING}.interpolation:Nearest",
    "bilinear": f"{_UPSAMPLING}.interpolation:Bilinear",
    "bicubic": f"{_UPSAMPLING}.interpolation:Bicubic",
    "jbu_classic": f"{_UPSAMPLING}.jbu:JointBilateral",
    "jbu": f"{_UPSAMPLING}.featup:FeatUp",
    "lift": f"{_UPSAMPLING}.lift:LiFT",
    "loftup": f"{_UPSAMPLING}.loftup:LoftUp",
    "anyup": f"{_UPSAMPLING}.anyup:AnyUp",
    "jafar": f"{_UPSAMPLING}.jafar:JAFAR",
    "naf": f"{_UPSAMPLING}.naf:NAF",
    "uplift": f"{_UPSAMPLING}.uplift:UPLiFT",
}
"""The one list of feature upsamplers: each with the ``module:name`` of its class, an ``Upsampler``."""
