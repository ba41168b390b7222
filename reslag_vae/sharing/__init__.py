"""A trained model handed on: its export, its card, the hub of Hugging Face and ONNX."""
