"""A gate's report for a pull request and for a continuous integration's list of tests."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from toolkit.core import Verdict

from .. import text
from .result import Change, GateReport, Row

HEAD = ("artifact", "engine", "figure", "baseline", "new", "worse by", "limit", "result")


def lines_of(report: GateReport) -> Iterator[tuple[Row, Change, tuple[str, ...]]]:
    """A line of the table for each change, with the cells under `HEAD`."""
    for row in report.rows:
        for change in row.changes:
            values = (change.value(change.old), change.value(change.new), change.worse_text, change.limit_text)
            yield row, change, (row.artifact, row.engine or text.NONE, change.what, *values, change.verdict)


def conditions(report: GateReport) -> str:
    """What was measured where, in a line."""
    load = f"load average {report.load_before:.2f} before and {report.load_after:.2f} after"
    pairs = f"{report.pairs} pair{'' if report.pairs == 1 else 's'} at most"
    return f"{report.machine.cpu}, {pairs} in {text.rough(report.seconds)}, {load}; {report.count:,} samples of {report.samples}"


def markdown(report: GateReport) -> str:
    """A table for the comment of a pull request; what did not pass is said below it."""
    cells = [HEAD, tuple("---" for _ in HEAD)]
    cells += [(*line[:-1], line[-1] if change.verdict is Verdict.PASSED else f"**{line[-1]}**") for _, change, line in lines_of(report)]
    table = [f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in cells]
    told = [
        f"- {_escaped(f'{row.artifact} {change.what}')}: {_escaped(change.reason)}"
        for row, change, _ in lines_of(report)
        if change.verdict is not Verdict.PASSED and change.reason
    ]
    commit = f" at {report.commit[:12]}" if report.commit else ""
    head = f"### {_escaped(report.model)}{commit} beside {_escaped(report.baseline)}: {report.verdict}"
    return "\n".join([head, "", *table, *(["", *told] if told else []), "", f"{_escaped(conditions(report))}", ""])


def junit(report: GateReport) -> bytes:
    """A test suite in JUnit's XML: a case for each change; what is undecided is skipped, which says so without ending a build."""
    found = list(lines_of(report))
    counts = {verdict: sum(change.verdict is verdict for _, change, _ in found) for verdict in Verdict}
    suite = ET.Element(
        "testsuite",
        name=f"toolkit gate {report.model}",
        tests=str(len(found)),
        failures=str(counts[Verdict.FAILED]),
        errors="0",
        skipped=str(counts[Verdict.UNDECIDED]),
        time=f"{report.seconds:.3f}",
        timestamp=report.started,
    )
    for row, change, line in found:
        case = ET.SubElement(suite, "testcase", classname=f"{report.model}.{row.artifact}", name=f"{change.what} {row.engine}")
        words = f"{line[3]} -> {line[4]}, worse by {line[5]}, limit {line[6]}; {change.reason}"
        if change.verdict is not Verdict.PASSED:
            tag = "failure" if change.verdict is Verdict.FAILED else "skipped"
            ET.SubElement(case, tag, message=words)
        else:
            ET.SubElement(case, "system-out").text = words
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
