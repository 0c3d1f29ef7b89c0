"""Track B: a multimodal language model, Phi-4-multimodal, that rates and transcribes what it hears, tuned with LoRA."""
