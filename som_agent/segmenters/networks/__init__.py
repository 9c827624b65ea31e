"""The networks themselves: plain PyTorch, inference only, under the names of the official weights."""
