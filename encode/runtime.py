"""ONNX Runtime, kept from reporting to its maker: the one place that imports it.

Since 1.29 the official builds keep a device id and a queue of events below ``~/.cache`` and upload them. Nothing that
happens here is to leave the machine. The runtime reads the switch once, when it is imported, so it is set before that.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

__all__ = ["ort"]
