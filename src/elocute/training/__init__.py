"""Training and export: the only package besides `mllm` that may import torch."""
