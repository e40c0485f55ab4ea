//! Model cards, the search path, and what can be found out about an ONNX file. Pure.
