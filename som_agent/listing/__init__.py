"""Listing items one by one: data that teaches open models to read marks (arXiv 2404.16375)."""

from som_agent.listing.samples import ListingSample, listing_sample, write_samples

__all__ = ["ListingSample", "listing_sample", "write_samples"]
