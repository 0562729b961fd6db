"""What a benchmark found: measures in columns, each beside its floor and goal; as JSON, as a markdown table, as rows to draw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kairos.score.bootstrap import Interval
from kairos.timeline.files import atomic_write

__all__ = ["Cell", "Measure", "Report", "Table", "Target", "command"]

PASSED, FAILED = "pass", "FAIL"


def command(bench: str, **options: Any) -> str:
    """The command that makes a report again. Options that are None or 0 are what it does without them."""
    given = (f"--{name} {value}" for name, value in options.items() if value not in (None, 0))
    return " ".join([f"kairos bench {bench}", *given])


@dataclass(frozen=True)
class Target:
    """What a measure must reach: `floor` to ship, `goal` to be content; upper limits where `at_most`, open where `strictly`."""

    floor: float
    goal: float | None = None
    at_most: bool = False
    strictly: bool = False

    def met(self, value: float) -> bool:
        if self.strictly:
            return value < self.floor if self.at_most else value > self.floor
        return value <= self.floor if self.at_most else value >= self.floor

    def words(self, scale: float, digits: int) -> str:
        sign = ("<" if self.at_most else ">") + ("" if self.strictly else "=")
        goal = "" if self.goal is None else f" ({self.goal * scale:.{digits}f})"
        return f"{sign} {self.floor * scale:.{digits}f}{goal}"


@dataclass(frozen=True)
class Measure:
    """One number: `value` with its interval (None where there is none), from `n` items, in the column `group`.

    Shares are kept in [0, 1] and shown times 100 where `unit` is "%".
    """

    name: str
    group: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    target: Target | None = None
    unit: str = "%"
    digits: int = 1
    section: str = ""

    @classmethod
    def of(cls, name: str, group: str, found: Interval | None, **rest: Any) -> Measure | None:
        """The measure of an interval; None where there was nothing to measure."""
        if found is None:
            return None
        return cls(name, group, found.value, found.low, found.high, found.n, **rest)

    @property
    def passed(self) -> bool | None:
        """Whether the floor is met, by the value and not by its interval; None where there is no floor."""
        return None if self.target is None else self.target.met(self.value)

    @property
    def shown(self) -> str:
        """The number in words: `93.2 [91.8, 94.5]`."""
        scale, digits = self._scale, self.digits
        text = f"{self.value * scale:.{digits}f}"
        if self.low is not None and self.high is not None:
            text += f" [{self.low * scale:.{digits}f}, {self.high * scale:.{digits}f}]"
        return text

    @property
    def target_shown(self) -> str:
        """The floor and goal in words, and whether it is met: `>= 85.0 (97.0) pass`."""
        if self.target is None:
            return ""
        return f"{self.target.words(self._scale, self.digits)} {PASSED if self.passed else FAILED}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; every key is always there."""
        target = self.target
        return {
            "name": self.name,
            "section": self.section,
            "group": self.group,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "unit": self.unit,
            "floor": None if target is None else target.floor,
            "goal": None if target is None else target.goal,
            "at_most": None if target is None else target.at_most,
            "passed": self.passed,
        }

    @property
    def _scale(self) -> float:
        return 100.0 if self.unit == "%" else 1.0


@dataclass(frozen=True)
class Cell:
    """One cell of the table: its words, and whether its floor is met (None where there is none)."""

    text: str
    passed: bool | None = None


@dataclass(frozen=True)
class Table:
    """The measures of one section, laid out."""

    section: str
    header: list[str]
    rows: list[list[Cell]]

    @classmethod
    def of(cls, section: str, measures: Sequence[Measure]) -> Table:
        groups = {m.group: any(n.target for n in measures if n.group == m.group) for m in measures}
        found: dict[str, dict[str, Measure]] = {}
        for m in measures:
            found.setdefault(m.name if m.unit in ("%", "") else f"{m.name}, {m.unit}", {})[m.group] = m
        header, rows = ["measure"], [[Cell(name)] for name in found]
        for group, targeted in groups.items():
            header += [group, "floor (goal)"] if targeted else [group]
            for row, of in zip(rows, found.values(), strict=True):
                cell = of.get(group)
                row.append(Cell("" if cell is None else cell.shown))
                if targeted:
                    row.append(
                        Cell("" if cell is None else cell.target_shown, None if cell is None else cell.passed)
                    )
        return cls(section, header, rows)


@dataclass(frozen=True)
class Report:
    """The measures of one run of a benchmark, with the facts that tell it from any other run, and its command."""

    name: str
    title: str
    measures: tuple[Measure, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    command: str = ""

    @property
    def passed(self) -> bool:
        """Whether every floor is met."""
        return all(m.passed is not False for m in self.measures)

    def find(self, name: str, group: str) -> Measure:
        """The measure of that name and column; raises KeyError."""
        for measure in self.measures:
            if (measure.name, measure.group) == (name, group):
                return measure
        raise KeyError((name, group))

    def tables(self) -> list[Table]:
        """One table a section, rows and columns in the order in which the measures came."""
        return [Table.of(s, [m for m in self.measures if m.section == s]) for s in self._sections]

    def markdown(self) -> str:
        """The report as a document's part: tables, notes, and the command that prints it."""
        lines = []
        for table in self.tables():
            lines += [f"**{table.section[0].upper()}{table.section[1:]}**", ""] if table.section else []
            lines += [_line(table.header), _line(["---"] * len(table.header))]
            lines += [_line([cell.text for cell in row]) for row in table.rows]
            lines.append("")
        lines += [f"- {note}" for note in self.notes]
        facts = ", ".join(f"{key} {value}" for key, value in self.facts.items())
        lines += [f"- {facts}"] if facts else []
        lines += ["", f"    {self.command}"] if self.command else []
        return "\n".join(lines).strip() + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "title": self.title,
            "passed": self.passed,
            "measures": [m.to_dict() for m in self.measures],
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "command": self.command,
        }

    def save(self, folder: Path) -> None:
        """Writes table.md and report.json there."""
        with atomic_write(folder / "table.md") as file:
            file.write(self.markdown())
        with atomic_write(folder / "report.json") as file:
            file.write(json.dumps(self.to_dict(), indent=1) + "\n")

    @property
    def _sections(self) -> list[str]:
        return list(dict.fromkeys(m.section for m in self.measures))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
