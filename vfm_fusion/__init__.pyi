from vfm_fusion.config.encoders import EncoderConfig as EncoderConfig
from vfm_fusion.profiling.call import profile as profile
from vfm_fusion.profiling.own_encoder import OwnEncoder as OwnEncoder
from vfm_fusion.profiling.profile_result import Profile as Profile

__version__: str
