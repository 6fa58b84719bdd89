"""The network that paints: its shape, the colours around it, OpenVINO or torch to run it."""
