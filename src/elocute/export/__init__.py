"""Models of transformers as ONNX files that need neither torch nor transformers."""
