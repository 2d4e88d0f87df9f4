"""The page at `/`: files that need nothing from the network, and what they ask beside the API."""

from dlm.serve.page.routes import page_section

__all__ = ["page_section"]
