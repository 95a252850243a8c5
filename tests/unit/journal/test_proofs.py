"""Proofs and bundles, checked by the offline verifier alone: honest ones hold, any change is found."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.core.events import Reflected
from remit.errors import RemitError
from remit.journal import offline_verifier
from remit.journal.notes import key_text
from remit.journal.proofs import archive, bundle, consistency_proof, inclusion_proof
from remit.journal.signing_key import AuditPlace, trusted_keys
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import STARTED, CountingClock


class World:
    """A journal of three runs, its key, and the verifier."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.witness = folder / "witness"
        place = AuditPlace(str(folder / "audit"), str(self.witness))
        self.journal = SqliteJournal(folder / "journal.db", CountingClock(), audit=place)
        asyncio.run(self._fill())
        self.keys = trusted_keys(place)
        self.key = key_text(next(iter(self.keys.values())))

    async def _fill(self) -> None:
        logs = [self.journal.create(f"run_{number}", STARTED) for number in range(3)]
        for turn in range(6):
            for log in logs:
                log.append(Reflected(turn, 'été "x"\u2028', "none"))
            await asyncio.gather(*[log.flush() for log in logs])
        for log in logs:
            await log.release("ok")
        await self.journal.aclose()

    def bundle(self, run_id: str = "") -> list[dict[str, Any]]:
        with self.journal.reading() as connection:
            return list(bundle(connection, run_id, self.keys))

    def inclusion(self, run_id: str, seq: int) -> dict[str, Any]:
        with self.journal.reading() as connection:
            return inclusion_proof(connection, run_id, seq, self.keys)

    def consistency(self, old: int, new: int | None = None) -> dict[str, Any]:
        with self.journal.reading() as connection:
            return consistency_proof(connection, old, new, self.keys)

    def sizes(self) -> list[int]:
        with self.journal.reading() as connection:
            return [size for (size,) in connection.execute("SELECT size FROM checkpoints ORDER BY size")]

    def verify(self, *lines: dict[str, Any], more: tuple[str, ...] = ()) -> int:
        """The verifier's exit code."""
        file = self.folder / "given"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return offline_verifier.main([str(file), "--key", self.key, *more])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("proofs"))


def test_the_verifier_is_one_file_that_needs_only_python(world: World) -> None:
    """Isolated from remit and everything installed it verifies a bundle, all signatures, and the witness file."""
    file = world.folder / "bundle"
    file.write_text("".join(json.dumps(line) + "\n" for line in world.bundle()), encoding="utf-8")
    copy = world.folder / "copied.py"
    copy.write_text(Path(offline_verifier.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(copy), str(file), "--key", world.key, "--witness", str(world.witness)]
    done = subprocess.run([*command, "--all"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "verified: whole log of 24 records, 3 run(s), 24 with content\n",
        "",
    )
    modules = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", str(copy), "--help"], capture_output=True, text=True, check=False
    )
    assert "remit" not in modules.stderr


def test_every_record_has_a_proof(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of the 24 records verifies under the newest checkpoint."""
    for run in range(3):
        for seq in range(1, 9):
            assert world.verify(world.inclusion(f"run_{run}", seq)) == 0
    assert "run run_2 seq 8 is record 2" in capsys.readouterr().out


def test_checkpoints_continue_each_other(world: World) -> None:
    """Every pair of checkpoints; sizes that no checkpoint has are value_invalid."""
    sizes = world.sizes()
    for old in sizes:
        assert world.verify(world.consistency(old)) == 0
        assert world.verify(world.consistency(sizes[0], old)) == 0
    for wrong in ((0, None), (sizes[0] + 1, None), (sizes[1], sizes[0]), (sizes[0], 999)):
        with pytest.raises(RemitError, match="value_invalid"):
            world.consistency(*wrong)
    for run_id, seq in (("run_0", 9), ("run_9", 1), ("run_0", 0)):
        with pytest.raises(RemitError, match="value_invalid"):
            world.inclusion(run_id, seq)


def test_a_bundle_of_one_run(world: World) -> None:
    """All checkpoints and the run's records alone: they verify, and one that is left out is missed."""
    lines = world.bundle("run_1")
    assert world.verify(*lines) == 0
    records = [line for line in lines if line["type"] == "record"]
    assert {line["run_id"] for line in records} == {"run_1"}
    assert world.verify(*[line for line in lines if line is not records[3]]) == 1


def _edit(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda line: line.update({name: value})


@pytest.mark.parametrize(
    "change",
    [
        _edit("seq", 3), _edit("run_id", "run_2"), _edit("at_ms", 3), _edit("epoch", 2), _edit("body", "{}"),
        _edit("hash", "11" * 32), _edit("prev", "11" * 32), _edit("position", 3),
    ],
)  # fmt: skip
def test_a_changed_record_does_not_verify(world: World, change: Callable[[dict[str, Any]], None]) -> None:
    """Any field of a record, in a proof and in a bundle."""
    proof = world.inclusion("run_1", 5)
    change(proof["record"])
    assert world.verify(proof) == 1
    lines = world.bundle()
    change(next(line for line in lines if line.get("run_id") == "run_1" and line["seq"] == 5))
    assert world.verify(*lines) == 1


def test_a_changed_tree_does_not_verify(world: World) -> None:
    """Path, size, checkpoint, old checkpoint: exit 1, never 0."""
    proof = world.inclusion("run_1", 5)
    other = world.inclusion("run_1", 6)
    for name, value in (("path", other["path"]), ("path", []), ("path", [*proof["path"], "00" * 32])):
        assert world.verify({**proof, name: value}) == 1
    first, *_, last = world.sizes()
    both = world.consistency(first)
    assert world.verify({**both, "path": both["path"][:-1]}) == 1
    assert world.verify({**both, "old_checkpoint": world.consistency(world.sizes()[1])["old_checkpoint"]}) == 1
    assert world.verify({**both, "checkpoint": both["checkpoint"].replace(f"\n{last}\n", f"\n{last + 1}\n")}) == 1


def test_lines_that_are_left_out_or_moved_are_found(world: World) -> None:
    """Every line of a whole bundle, removed or swapped with the next: exit 1 (or 2 where it cannot be read)."""
    lines = world.bundle()
    for at in range(1, len(lines)):
        assert world.verify(*lines[:at], *lines[at + 1 :]) in (1, 2), lines[at]
        if at + 1 < len(lines):
            swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
            moved_over_kind = lines[at]["type"] != lines[at + 1]["type"]
            assert world.verify(*swapped) in ((1, 2) if not moved_over_kind else (0, 1, 2))


def test_an_older_bundle_is_found_with_the_witness(world: World) -> None:
    """A log that was cut verifies in itself; the witness saw more."""
    lines = world.bundle()
    size = [line for line in lines if line["type"] == "checkpoint"][-2]["size"]
    cut = [line for line in lines if line.get("size", 0) <= size and line.get("position", 0) <= size]
    assert world.verify(*cut) == 0
    assert world.verify(*cut, more=("--witness", str(world.witness))) == 1


def test_an_archive_says_that_it_is_a_part(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Some whole runs verify under the log's checkpoints, are never called the whole, and have no gaps."""
    with world.journal.reading() as connection:
        lines = list(archive(connection, ["run_2", "run_0"], world.keys))
    assert world.verify(*lines) == 0
    assert capsys.readouterr().out == "verified: part of a log of 24 records, 2 run(s), 16 with content\n"
    assert world.verify(*lines[:-3], *lines[-2:]) == 1
    assert world.verify({**lines[0], "part": False}, *lines[1:]) == 1


def test_only_the_key_that_is_named_counts(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that stand in the file are not trusted; a wrong or unreadable one is exit 1 or 2."""
    other = key_text(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    file = world.folder / "proof"
    file.write_text(json.dumps({**world.inclusion("run_1", 5), "keys": [world.key, other]}))
    assert offline_verifier.main([str(file), "--key", other]) == 1
    assert offline_verifier.main([str(file), "--key", other, "--key", world.key]) == 0
    assert offline_verifier.main([str(file), "--key", "remit-audit+x"]) == 2
    assert "no trusted key signed it" in capsys.readouterr().out


def test_hostile_files_are_refused(world: World) -> None:
    """Truncated, retyped and foreign JSON is exit 1 or 2, never 0 and never a traceback."""
    rng = random.Random(4)
    values: list[Any] = [None, -1, 2**70, "", "zz", [], {}, True, "\ud800", 1.5]
    texts = [[world.inclusion("run_1", 5)], [world.consistency(world.sizes()[0])], world.bundle("run_0")]
    for _ in range(150):
        lines = json.loads(json.dumps(rng.choice(texts)))
        line = rng.choice(lines)
        target = line["record"] if "record" in line and rng.random() < 0.5 else line
        name = rng.choice([name for name in target if name not in ("keys", "version", "old", "size", "at_ms")])
        target[name] = rng.choice(values)
        if (name, target[name]) == ("run", ""):
            continue  # then it claims to be whole, which is tested above
        assert world.verify(*lines) in (1, 2), (name, target[name])
    for text in ("", "[]", "1", "{", '{"type":"x"}', "\x00" * 9, "[" * 100_000):
        (world.folder / "given").write_text(text)
        assert offline_verifier.main([str(world.folder / "given"), "--key", world.key]) == 2
    assert offline_verifier.main([str(world.folder / "none"), "--key", world.key]) == 2


# Source: RFC 8032, 7.1, TEST 1 to 3.
VECTORS = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]  # fmt: skip


@pytest.mark.parametrize(("public", "text", "signature"), VECTORS)
def test_ed25519_as_published(public: str, text: str, signature: str) -> None:
    """The RFC's signatures hold; with any part changed they do not."""
    key, message, signed = bytes.fromhex(public), bytes.fromhex(text), bytes.fromhex(signature)
    assert offline_verifier.verify_ed25519(key, signed, message)
    assert not offline_verifier.verify_ed25519(key, signed, message + b"x")
    for at in (0, 31, 32, 63):
        changed = bytearray(signed)
        changed[at] ^= 1
        assert not offline_verifier.verify_ed25519(key, bytes(changed), message)


def test_ed25519_agrees_with_the_library() -> None:
    """Random keys and texts; a scalar that is not reduced (a second form of the same signature) is refused."""
    for number in range(8):
        private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        public, text = private.public_key().public_bytes_raw(), bytes([number]) * number
        signature = private.sign(text)
        assert offline_verifier.verify_ed25519(public, signature, text)
        scalar = int.from_bytes(signature[32:], "little") + offline_verifier.L
        assert not offline_verifier.verify_ed25519(public, signature[:32] + scalar.to_bytes(32, "little"), text)
    for short in (b"", bytes(31), bytes(63)):
        assert not offline_verifier.verify_ed25519(bytes(32), short, b"")
