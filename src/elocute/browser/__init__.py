"""The assessor inside a web page: its own Python, run by Pyodide, so that a voice need not leave the device.

`bundle` collects what the page loads of this package; `engine` is what the page talks to. Two libraries have no build
for WebAssembly, and stand-ins of the same interface in their place: `networks` for onnxruntime, which hands the work to
onnxruntime's own WebAssembly beside Python, and `resample` for soxr.
"""
