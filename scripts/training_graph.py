"""Draw docs/training_run.svg from training/log.md: style and content on val, over crops."""

import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "training"  # so that the same figures give the same file
from matplotlib import pyplot  # noqa: E402

HERE = Path(__file__).parents[1]
ROW = re.compile(r"^\| ([\d,]+) \| (\.\d{4}) \| (\.\d+) \|(?!.*not kept)", re.MULTILINE)  # four digits: on val

found = ROW.findall((HERE / "training" / "log.md").read_text("utf-8"))
crops, style, content = ([float(row[i].replace(",", "")) for row in found] for i in range(3))
figure, left = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
right = left.twinx()
(first,) = left.plot([n / 1000 for n in crops], style, "o-", color="#b5452c", label="style (left)")
(second,) = right.plot([n / 1000 for n in crops], content, "s-", color="#2c6fb5", label="content (right)")
left.set(xlabel="thousands of crops", ylabel="style distance", ylim=(0, None))
right.set(ylabel="content distance", ylim=(0, None))
left.legend(handles=[first, second], loc="lower left", frameon=False)
left.spines["top"].set_visible(False)
right.spines["top"].set_visible(False)
figure.savefig(HERE / "docs" / "training_run.svg", metadata={"Date": None})
