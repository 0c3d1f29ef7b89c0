"""An evaluation of a speech language model as tables for a terminal, 80 columns wide, each with its definitions."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from elocute.cli.figures import NONE, interval, new_table, number, with_interval, with_note
from elocute.mllm.answers import SCORE_KEYS
from elocute.mllm.evaluation_result import MODEL, Phi4Evaluation, TranscriptRow
from elocute.mllm.published import TABLE_3


def render(result: Phi4Evaluation) -> Iterator[RenderableType]:
    """Everything, from the data to what a reader should know."""
    data = result.data
    yield Text("Speech language model on speechocean762", style="bold")
    yield Text(
        f"{data['utterances']} utterances of {data['speakers']} speakers, {data['examples']} questions, "
        f"{data['spoken_phones']} spoken phones"
    )
    if data["wrong_phones_unannotated"]:
        yield Text(
            "The corpus does not tell what was said for its wrong phones; <unk> stands for them, so PER, matches and "
            "diagnosis are of that.",
            style="yellow",
        )
    yield ""
    yield _answers(result)
    yield ""
    yield _table_3(result)
    if result.scores:
        yield ""
        yield _scores(result)
    if result.transcripts:
        yield ""
        yield _transcripts(result)
        yield ""
        yield _detection(result)
    yield from _rest(result)


def _answers(result: Phi4Evaluation) -> Group:
    """How answers could be read."""
    table = new_table("Answers", "task", "n", "valid", "repaired", "failed", "cut off", "valid %")
    for row in result.answers:
        share = f"{100 * row.valid_share:.1f}"
        table.add_row(row.task, str(row.n), str(row.valid), str(row.repaired), str(row.failed), str(row.cut_off), share)
    return with_note(table, f"{result.definitions['answers']}.")


def _table_3(result: Phi4Evaluation) -> Group:
    """The columns of the paper's Table 3, and its rows."""
    table = new_table(
        "As in Table 3 of arXiv 2509.02915", "run", "acc", "flu", "pros", "total", "WER", "PER", "F1", "P", "R"
    )
    pcc = {row.score: number(row.pcc.value) for row in result.scores}
    spoken = [row for row in result.transcripts if row.predictor == MODEL]
    table.add_row("this model", *(pcc.get(name, NONE) for name in SCORE_KEYS), *_words(spoken[0] if spoken else None))
    for row in TABLE_3:
        table.add_row(f"paper: {row.run}", *map(number, row.figures))
    return with_note(
        table,
        "PCC of the scores as written; F1, P and R: tokens in place. The paper's rows are as printed, on the official "
        "test split and with its annotation of what was said; its epochs were chosen there, too.",
    )


def _words(row: TranscriptRow | None) -> list[str]:
    """WER, PER and the paper's token match."""
    if row is None:
        return [NONE] * 5
    match = row.in_place
    return [number(value) for value in (row.wer.value, row.per.value, match.f1, match.precision, match.recall)]


def _scores(result: Phi4Evaluation) -> Group:
    """Scores with intervals, as written and as expected."""
    table = new_table("Scores", "score", "PCC (95 %)", "expected", "(95 %)", "read", "unread", "MSE", "constant")
    for row in result.scores:
        table.add_row(
            row.score,
            with_interval(row.pcc),
            number(row.pcc_expected.value),
            interval(row.pcc_expected),
            number(row.pcc_read),
            str(row.unread),
            number(row.mse, 2),
            number(row.mse_constant, 2),
        )
    return with_note(
        table,
        "PCC of the scores as written; expected: of their means under the model's probabilities; read: over answers "
        "that could be read. constant: MSE of always saying the mean of these labels.",
    )


def _transcripts(result: Phi4Evaluation) -> Group:
    """Error rates and token matches beside the echo."""
    table = new_table("Transcripts", "whose", "WER (95 %)", "PER (95 %)", "match F1", "in place F1", "unread")
    for row in result.transcripts:
        table.add_row(
            row.predictor.partition(" of ")[0],
            with_interval(row.wer),
            with_interval(row.per),
            number(row.matched.f1),
            number(row.in_place.f1),
            str(row.unread),
        )
    return with_note(
        table,
        "echo: the text and its canonical phones as the answer, without listening. match: tokens of a least-edit "
        "alignment that agree; in place: without alignment.",
    )


def _detection(result: Phi4Evaluation) -> Group:
    """Detection of mispronounced phones."""
    table = new_table("Mispronounced phones", "whose", "TA", "FR", "FA", "TR", "CD", "P", "R", "F1 (95 %)")
    for row in result.detection:
        counts = (row.ta, row.fr, row.fa, row.tr, row.cd)
        table.add_row(
            row.predictor.partition(" of ")[0].removeprefix("the "),
            *map(str, counts),
            number(row.precision.value),
            number(row.recall.value),
            with_interval(row.f1),
        )
    return with_note(
        table,
        "Canonical phones aligned with the transcript (Needleman-Wunsch, articulatory costs): TA right, passed; FR "
        "right, flagged; FA wrong, missed; TR wrong, found; CD found and named. spoken phones themselves: what could "
        "be reached.",
    )


def _rest(result: Phi4Evaluation) -> Iterator[RenderableType]:
    """Correlations, speed, and answers to look at."""
    if result.correlations is not None:
        found = result.correlations
        yield ""
        yield Text(
            f"Correlation of an utterance's phone error rate with its accuracy: people {number(found.human)}, model "
            f"{number(found.predicted)} (paper: -.446, -.354); of the model's own errors with people's accuracy "
            f"{number(found.error)}"
        )
    if result.speed is not None and result.speed.tokens_per_s is not None:
        speed = result.speed
        yield Text(
            f"Generation: {speed.tokens_per_s:.0f} tokens and {speed.answers_per_s:.1f} answers a second, "
            f"{speed.seconds:.0f} s"
        )
    if result.failed:
        yield ""
        yield Text("Answers that could not be read, for example", style="bold")
        for line in result.failed[:3]:
            yield Text(" ".join(line.split())[:160])
