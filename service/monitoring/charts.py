"""Turns samples into the template's data: a small line chart for each figure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.models import Sample

# The drawing's own units; the page scales it.
WIDTH, HEIGHT = 300, 80

FIGURES = {"CPU": "cpu_percent", "Memory": "memory_percent", "Disk": "disk_percent"}


@dataclass(frozen=True)
class Chart:
    """A line from the oldest sample to the newest, from 0 % at the bottom to 100 % at the top."""

    label: str
    latest: float
    lowest: float
    highest: float
    points: list[tuple[float, float]]

    @property
    def line(self) -> str:
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)

    @property
    def area(self) -> str:
        """The line, closed along the bottom."""
        first, last = self.points[0][0], self.points[-1][0]
        return f"{first:g},{HEIGHT} {self.line} {last:g},{HEIGHT}"

    @property
    def end(self) -> tuple[float, float]:
        return self.points[-1]


@dataclass(frozen=True)
class HostCharts:
    host: str
    oldest: Sample
    newest: Sample
    count: int
    charts: list[Chart]


def charts_by_host(samples: Sequence[Sample]) -> list[HostCharts]:
    """Charts of the samples, given newest first; the host heard of last comes first."""
    by_host = defaultdict(list)
    for sample in samples:
        by_host[sample.host].append(sample)
    return [charts_of_host(host, taken[::-1]) for host, taken in by_host.items()]


def charts_of_host(host: str, samples: Sequence[Sample]) -> HostCharts:
    """Charts of one host's samples, at least one, given oldest first."""
    return HostCharts(
        host=host,
        oldest=samples[0],
        newest=samples[-1],
        count=len(samples),
        charts=[chart(label, field, samples) for label, field in FIGURES.items()],
    )


def chart(label: str, field: str, samples: Sequence[Sample]) -> Chart:
    values = [getattr(sample, field) for sample in samples]
    start = samples[0].taken_at
    span = (samples[-1].taken_at - start).total_seconds()

    def x(sample: Sample) -> float:
        if not span:
            return WIDTH  # A single moment: draw it where the newest always is.
        return round((sample.taken_at - start).total_seconds() / span * WIDTH, 1)

    def y(value: float) -> float:
        return round(HEIGHT * (1 - min(max(value, 0), 100) / 100), 1)

    return Chart(
        label=label,
        latest=values[-1],
        lowest=min(values),
        highest=max(values),
        points=[(x(sample), y(value)) for sample, value in zip(samples, values, strict=True)],
    )
