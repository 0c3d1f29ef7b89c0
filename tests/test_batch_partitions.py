"""Manifests of any size and kind, cut into partitions: every row comes out once, in order, and as it went in."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("fsspec", reason="needs the extra 'ray'")
pa = pytest.importorskip("pyarrow", reason="needs the extra 'ray'")

from pyarrow import parquet  # noqa: E402

from elocute.batch.answers import Answer  # noqa: E402
from elocute.batch.manifest import ManifestRow, read_manifest  # noqa: E402
from elocute.batch.partitions import Plan, plan_partitions, read_partition  # noqa: E402
from elocute.batch.places import fetched, place_of  # noqa: E402
from elocute.errors import AudioError, ConfigError, MissingExtraError  # noqa: E402

PHONES = [["HH", "AY1"], ["DH", "EH1", "R"]]


def plan(manifest: Path | str, **options: int) -> Plan:
    return plan_partitions(str(manifest), **{"workers": 2} | options)


def rows_of(planned: Plan) -> list[ManifestRow | Answer]:
    return [row for partition in planned.partitions for row in read_partition(partition)]


def lines(count: int, start: int = 0) -> str:
    rows = [{"id": f"r{i}", "audio": f"a/{i}.wav", "text": f"héllo \u2028 {i}"} for i in range(start, start + count)]
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


@pytest.mark.parametrize("partition_rows", [1, 7, 32, 1000])
def test_json_lines_give_the_rows_of_the_local_engine(partition_rows: int, tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_bytes(b"\xef\xbb\xbf" + lines(100).replace("\n", "\n\n \r\n").encode() + b"\n\n")
    planned = plan(manifest, partition_rows=partition_rows)
    assert rows_of(planned) == list(read_manifest(manifest).rows)
    assert planned.rows == 100
    assert [partition.number for partition in planned.partitions] == list(range(len(planned.partitions)))
    sizes = [partition.rows for partition in planned.partitions]
    assert all(partition_rows <= size < partition_rows + 8 for size in sizes[:-1])


def test_the_size_of_partitions_follows_rows_and_workers(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(lines(3000))
    assert len(plan(manifest, workers=1).partitions) == 32
    assert len(plan(manifest, workers=4).partitions) == 125
    assert plan(manifest, workers=1000).partition_rows == 8
    assert plan(manifest, workers=1000, least_rows=128).partition_rows == 128


def test_units_of_a_long_manifest_become_fewer_and_the_cut_is_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(lines(1000))
    monkeypatch.setattr("elocute.batch.partitions._MOST_UNITS", 20)
    planned = plan(manifest, workers=1000)
    assert {partition.rows for partition in planned.partitions[:-1]} == {128}  # 8 would be 125 of them
    assert rows_of(planned) == list(read_manifest(manifest).rows)
    assert plan(manifest, workers=7, partition_rows=planned.partition_rows) == planned
    assert len(plan(manifest, partition_rows=3).partitions) == 334  # as asked for, however many


def test_a_folder_and_a_pattern_of_files(tmp_path: Path) -> None:
    for name, start in (("b.jsonl", 40), ("a.jsonl", 0)):
        (tmp_path / name).write_text(lines(40, start))
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "notes.txt").touch()
    for manifest in (tmp_path, tmp_path / "*.jsonl", f"file://{tmp_path}"):
        rows = rows_of(plan(manifest))
        assert [row.id for row in rows] == [f"r{i}" for i in range(80)]
        assert str(rows[0].recording).endswith(f"{tmp_path}/a/0.wav")
    (tmp_path / "c.parquet").touch()
    with pytest.raises(ConfigError, match="files of kinds JSON lines, Parquet; give files of one kind"):
        plan(tmp_path)


def test_what_is_said_decides_the_hash(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(lines(5))
    first = plan(manifest).sha256
    assert plan(manifest, partition_rows=1).sha256 == first
    manifest.write_text(lines(5).replace("llo", "lla"))
    assert plan(manifest).sha256 != first


def test_an_id_that_is_used_twice_is_named_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(50))
    (tmp_path / "b.jsonl").write_text(lines(1, 36))
    with pytest.raises(ConfigError, match=r"id 'r36' is in row 37 of .*a\.jsonl and in row 1 of .*b\.jsonl"):
        plan(tmp_path)


def test_a_manifest_that_changes_under_way_is_seen(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(lines(40))
    planned = plan(manifest)
    manifest.write_text(lines(38) + "\n")
    with pytest.raises(ConfigError, match=r"had 8 rows from line 33 on and has 6 now; .* --fresh"):
        rows_of(planned)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.jsonl", b'{"id": "a", "audio": "x"}', r"m\.jsonl, line 1: no 'text'"),
        ("m.jsonl", b"\n \n", "has no rows"),
        ("m.jsonl.gz", b"\x1f\x8b", "is compressed"),
        ("m.parquet", b"PAR1 nonsense", "is no Parquet file"),
        ("m.tar", b"nonsense" * 100, "is no tar file"),
        ("m.tar.gz", b"nonsense" * 100, "is no tar file"),
    ],
)
def test_files_that_are_no_manifest(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        rows_of(plan(tmp_path / name))


def test_places_that_there_are_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        plan(tmp_path / "m.jsonl")
    with pytest.raises(ConfigError, match="names no JSON lines, Parquet or tar files"):
        plan(tmp_path / "*.tar")
    with pytest.raises((ConfigError, MissingExtraError), match="nowhere://"):
        plan("nowhere://m.jsonl")


# --- Parquet ----------------------------------------------------------------------------------------------------------


def table(count: int, **columns: object) -> pa.Table:
    said = {
        "id": [f"r{i}" for i in range(count)],
        "audio": [f"{i}.wav" for i in range(count)],
        "text": [f"text {i}" for i in range(count)],
    }
    return pa.table(said | columns)


@pytest.mark.parametrize("partition_rows", [1, 20, 1000])
def test_tables_with_paths(partition_rows: int, tmp_path: Path) -> None:
    phones = [PHONES if i % 2 else None for i in range(100)]
    parquet.write_table(table(100, phones=phones, other=[1] * 100), tmp_path / "m.parquet", row_group_size=45)
    rows = rows_of(plan(tmp_path / "m.parquet", partition_rows=partition_rows))
    assert [row.id for row in rows] == [f"r{i}" for i in range(100)]
    assert rows[3] == ManifestRow(
        id="r3", audio=tmp_path / "3.wav", text="text 3", phones=(("HH", "AY1"), ("DH", "EH1", "R"))
    )
    assert rows[2].phones is None


@pytest.mark.parametrize("is_struct", [False, True])
def test_tables_with_sounds(is_struct: bool, tmp_path: Path) -> None:
    sounds: list[object] = [b"RIFF" * i for i in range(50)]
    sounds[7] = None
    if is_struct:
        sounds = [{"bytes": sound, "path": "x.wav"} for sound in sounds]
    parquet.write_table(table(50, audio=sounds), tmp_path / "m.pq", row_group_size=20)
    planned = plan(tmp_path / "m.pq")
    assert [partition.rows for partition in planned.partitions] == [20, 20, 10]
    rows = rows_of(planned)
    assert [row.recording for row in rows[1:7]] == [b"RIFF" * i for i in range(1, 7)]
    assert rows[7].recording == rows[0].recording == b"\0"  # for the decoder to refuse: each costs itself alone


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a", None]}, "row 2: 'text' is None, expected a string"),
        ({"id": [1, 2]}, "row 1: 'id' is 1, expected a string"),
        ({"id": ["a", "a"]}, "id 'a' is in row 1"),
        ({"audio": [{"path": "x"}] * 2}, "column 'audio' is struct<path: string>, expected paths, bytes"),
    ],
)
def test_tables_that_are_no_manifest(columns: dict[str, object], message: str, tmp_path: Path) -> None:
    parquet.write_table(table(2, **columns), tmp_path / "m.parquet")
    with pytest.raises(ConfigError, match=message):
        plan(tmp_path / "m.parquet")
    parquet.write_table(table(2).drop_columns("text"), tmp_path / "m.parquet")
    with pytest.raises(ConfigError, match="has no column 'text'"):
        plan(tmp_path / "m.parquet")


# --- WebDataset -------------------------------------------------------------------------------------------------------


def shard(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def samples(count: int) -> list[tuple[str, bytes]]:
    deep = "deep/" * 30  # longer than a plain header holds
    both = [((f"{deep}s{i}.wav", b"RIFF" * i), (f"{deep}s{i}.txt", f"text {i}\n".encode())) for i in range(count)]
    return [member for pair in both for member in pair]


@pytest.mark.parametrize(("ending", "partition_rows"), [("tar", 1), ("tar", 10), ("tar", 1000), ("tar.gz", 10)])
def test_shards(ending: str, partition_rows: int, tmp_path: Path) -> None:
    path = shard(tmp_path / f"a.{ending}", samples(70))
    planned = plan(path, partition_rows=partition_rows)
    rows = rows_of(planned)
    assert [row.id for row in rows] == [f"{'deep/' * 30}s{i}" for i in range(70)]
    assert [row.text for row in rows] == [f"text {i}" for i in range(70)]
    assert rows[9].recording == b"RIFF" * 9
    assert (planned.rows, len(planned.partitions) > 1) == (
        (70, partition_rows < 70) if ending == "tar" else (None, False)
    )


def test_samples_that_lack_something_cost_themselves(tmp_path: Path) -> None:
    said = json.dumps({"text": "Hi there", "phones": PHONES, "voice": "slt"}).encode()
    members = [
        ("a.flac", b"fLaC"),
        ("a.json", said),
        ("b.wav", b"RIFF"),
        ("c.txt", b"Hi"),
        ("d.wav", b"RIFF"),
        ("d.flac", b"fLaC"),
        ("d.txt", b"Hi"),
        ("e.wav", b"RIFF"),
        ("e.txt", b"\xff"),
        ("f.wav", b"RIFF"),
        ("f.json", b'{"text": 7}'),
        ("g.wav", b""),
        ("g.txt", b"Hi"),
    ]
    first, *middle, last = rows_of(plan(shard(tmp_path / "a.tar", members)))
    assert (first.text, first.phones, first.recording) == ("Hi there", (("HH", "AY1"), ("DH", "EH1", "R")), b"fLaC")
    assert [(row.id, row.error_type) for row in middle] == [
        ("b", "TextError"),
        ("c", "AudioError"),
        ("d", "AudioError"),
        ("e", "TextError"),
        ("f", "ConfigError"),
    ]
    assert "has 2 recordings, expected one" in middle[2].error_message
    assert last.recording == b"\0"


def test_a_shard_that_is_cut_off(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tar", [("a.wav", b"x" * 5000), ("a.txt", b"Hi")])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ConfigError, match="damaged"):
        rows_of(plan(path))


# --- elsewhere --------------------------------------------------------------------------------------------------------


def test_recordings_at_addresses(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    rows = [
        {"id": "near", "audio": "x.wav", "text": "Hi"},
        {"id": "far", "audio": f"file://{tmp_path}/x.wav", "text": "Hi"},
        {"id": "gone", "audio": f"file://{tmp_path}/y.wav", "text": "Hi"},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    near, far, gone = rows_of(plan(tmp_path / "m.jsonl"))
    assert fetched(near).recording == tmp_path / "x.wav"
    assert fetched(far).recording == b"RIFF"
    with pytest.raises(AudioError, match=r"recording 'file://.*y\.wav' cannot be read"):
        fetched(gone)
    # A manifest that is at an address itself: its folder is one, too.
    near, *_ = rows_of(plan(f"file://{tmp_path}/m.jsonl"))
    assert near.recording == f"file://{tmp_path}/x.wav"
    assert fetched(near).recording == b"RIFF"


def test_a_store_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ManifestRow(id="a", audio=Path("a"), text="Hi", phones=None, elsewhere="memory://busy.wav")
    place = place_of("memory://busy.wav")
    answers = [ConnectionResetError("busy"), TimeoutError("busy"), b"RIFF"]

    def cat_file(path: str) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(place.files, "cat_file", cat_file)
    monkeypatch.setattr("elocute.batch.places._PAUSES_S", (0.0, 0.0))
    assert fetched(row).recording == b"RIFF"
    answers += [ConnectionResetError("busy")] * 3
    with pytest.raises(AudioError, match="cannot be fetched .* tried 3 times"):
        fetched(row)


def test_file_systems_of_pyarrow_serve_where_fsspec_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec.core

    (tmp_path / "m.jsonl").write_text(lines(3))

    def lacks(name: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacks)
    assert [row.id for row in rows_of(plan(f"file://{tmp_path}/m.jsonl"))] == ["r0", "r1", "r2"]
    assert [row.id for row in rows_of(plan(f"file://{tmp_path}"))] == ["r0", "r1", "r2"]
    with pytest.raises(MissingExtraError, match="cannot be reached: Install s3fs"):
        plan("gcsx://bucket/m.jsonl")
