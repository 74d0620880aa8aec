"""The one call: encoders and pictures in, a profile out, by the code of the workflow's stages."""
