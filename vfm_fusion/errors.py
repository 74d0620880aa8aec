"""Named errors. Each message says what was expected, what was found and what to do about it."""


class VfmFusionError(Exception):
    """Base class of every error that this project raises on purpose."""


class ConfigError(VfmFusionError):
    """The configuration has an unknown key, a wrong type or an impossible value."""


class DatasetLayoutError(VfmFusionError):
    """A data set's folder lacks a file or directory that its official layout has."""


class CorruptImageError(VfmFusionError):
    """An image or label file cannot be decoded, or has the wrong size or type."""


class LabelError(VfmFusionError):
    """A label file holds an id that the data set does not define."""


class WeightsError(VfmFusionError):
    """Encoder or model weights are missing, truncated, or do not fit the model."""


class FeatureStoreError(VfmFusionError):
    """A feature store is incomplete, damaged, or does not belong to its manifest."""


class ShapeError(VfmFusionError, ValueError):
    """An array has a shape, dtype or range that a function does not accept."""


class SelectionError(VfmFusionError):
    """No master/auxiliary pair can be chosen from the given profiles."""


class TrainingError(VfmFusionError):
    """Training cannot start or go on (non-finite loss, foreign checkpoint, missing labels)."""


class PredictionError(VfmFusionError):
    """A run's prediction file is missing or damaged, or lacks an image."""


class SessionError(VfmFusionError):
    """An interactive session is asked for what it cannot do at this point."""


class ReportingError(VfmFusionError):
    """A table or figure lacks a result that it is made of."""


class ComputeError(VfmFusionError):
    """The machine or the cluster lacks what the jobs of a run ask for."""
