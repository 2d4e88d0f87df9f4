"""The base models this tool knows, and how a `base_model:` line in a document becomes one."""

from dlm.base_models.registry import BASE_MODELS, BaseModel
from dlm.base_models.resolve import base_of, resolve

__all__ = ["BASE_MODELS", "BaseModel", "base_of", "resolve"]
