"""The model card of an exported model, for people: Markdown from `card.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PARITY_HEADINGS = (
    "copies",
    "frames",
    "max abs(delta log p)",
    "mean abs(delta log p)",
    "mean abs(delta p)",
    "same winner",
    "phones",
    "GOP PCC",
    "mean abs(delta GOP)",
)


def parity_rows(card: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The comparison as rows of text under `PARITY_HEADINGS`."""
    rows: list[tuple[str, ...]] = []
    for pair in card["parity"]["pairs"]:
        rows.append(
            (
                " / ".join(pair["copies"]),
                str(pair["frames"]),
                f"{pair['max_nats']:.2g}",
                f"{pair['mean_nats']:.2g}",
                f"{pair['mean_probability']:.2g}",
                f"{pair['argmax_agreement']:.4f}",
                str(pair["phones"]),
                "-" if pair["gop_pcc"] is None else f"{pair['gop_pcc']:.5f}",
                "-" if pair["gop_mean_nats"] is None else f"{pair['gop_mean_nats']:.2g}",
            )
        )
    return rows


def markdown(card: Mapping[str, Any]) -> str:
    """The whole card."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Mapping[str, Any]) -> Iterator[str]:
    """Line by line."""
    yield f"# {card['name']}"
    yield ""
    yield (
        f"{card['kind']}, exported to ONNX by elocute {card['made_with']['elocute']}: samples at 16 kHz in, "
        f"log-probabilities over phones out, a row every {card['frame_shift_s'] * 1000:g} ms. The front end "
        f"({card['front_end_in_graph']}) and the sums from the model's labels to phones are inside the graph."
    )
    yield ""
    yield f"    elocute assess me.wav 'I think so' --backend onnx:{card['name']}"
    yield ""
    facts = [
        ("source", card["source"]),
        ("version", card["version"]),
        ("licence of the weights", card["licence"]),
        ("parameters", f"{card['parameters']:,}"),
        ("shortest recording", f"{card['min_samples'] / 16:.0f} ms"),
        *(
            (name, f"{graph['bytes'] / 1e6:.1f} MB, opset {graph['opset']}: {', '.join(graph['files'])}")
            for name, graph in card["graphs"].items()
        ),
        ("made with", ", ".join(f"{name} {number}" for name, number in card["made_with"].items())),
        ("command", f"`{card['command']}`"),
    ]
    yield from table(("", ""), facts)
    yield ""
    yield f"## Parity on {card['parity']['recordings']} recordings: {card['parity']['on']}"
    yield ""
    yield from table(PARITY_HEADINGS, parity_rows(card))
    if card["doubtful_int8"]:
        yield ""
        yield "The int8 graph often disagrees with its model: use the float32 graph, or measure before you trust it."
    yield ""
    yield "## Labels"
    yield ""
    yield from (f"- {line}" for line in card["vocabulary"])


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
