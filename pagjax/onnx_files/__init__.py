"""The gradient step and the network as ONNX files, for browsers, phones, C++ and servers."""
