"""Models of transformers that run on this machine, as LangChain chat models.

`chat` has any image-text-to-text model, `llava` the LLaVA-1.5 family in both its formats.
"""
