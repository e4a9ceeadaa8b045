"""Two readers of the same files, written apart: what one takes the other reads the same, hostile files neither."""

from __future__ import annotations

import io
import struct
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from hingeproof.commands.main import run
from hingeproof.errors import UsageError
from hingeproof.svm import checker, reading
from hingeproof.svm.given import Wide


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def headed(head: str, body: bytes = b"\0" * 32) -> bytes:
    """An NPY file with any header."""
    text = head.encode("latin-1").ljust(118)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def npz(*parts: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return file.getvalue()


X, y = np.array([[1.0, 2.0], [3.0, -4.5], [0.5, 0.0]]), np.array([0.0, 1.0, 1.0])
GOOD: dict[str, bytes] = {
    "plain.csv": b"a,b,y\n1,2,0\n3,-4.5,1\n.5,0,1\n",
    "semicolon.csv": b"a;b;y\n1;2;0\n3;-4.5;1\n5e-1;0;1\n",
    "tab.csv": b"a\tb\ty\n1\t2\t0\n3\t-4.5\t1\n0.5\t0\t1\n",
    "bom.csv": b"\xef\xbb\xbfa,b,y\n1,2,0\n\n3,-4.5,1\n0.5,0,1",
    "crlf.csv": b"a,b,y\r\n1,2,0\r\n3,-4.5,1\r\n0.5,0,1\r\n",
    "quoted.csv": b'"a","b,c",y\n1,"2",0\n3,-4.5,1\n0.5,0,1\n',
    "text.csv": "a,b,y\n1,2,no\n3,-4.5,yes\n0.5,0,٣\n".encode(),
    "wide.csv": b"a,b,y\n9007199254740993,2,0\n-9223372036854775808,3,1\n4,5,1\n",
    "names.csv": b"a,b,y\n1,2,9007199254740993\n3,4,9007199254740992\n",
    "f8.npy": npy(np.column_stack([X, y])),
    "f4.npy": npy(np.column_stack([X, y]).astype(">f4")),
    "fortran.npy": npy(np.asfortranarray(np.column_stack([X, y]))),
    "i8.npy": npy(np.array([[2**53 + 1, 3, 0], [-(2**62) - 1, 4, 1]])),
    "u8.npy": npy(np.array([[2**64 - 1, 3, 0], [2**63 + 1, 4, 1]], dtype=np.uint64)),
    "bool.npy": npy(np.array([[True, False], [False, True]])),
    "xy.npz": npz(("X.npy", npy(X)), ("y.npy", npy(y))),
    "packed.npz": npz(("X.npy", npy(X)), ("y.npy", npy(y[:, None])), method=zipfile.ZIP_DEFLATED),
    "thin.libsvm": b"1 1:1 3:2.5\n-1 2:-3 # a remark\n1\n",
}
HOSTILE: dict[str, bytes] = {
    "twice.npz": npz(("X.npy", npy(X)), ("X", npy(X + 1)), ("y.npy", npy(y))),
    "square_y.npz": npz(("X.npy", npy(np.ones((40, 1)))), ("y.npy", npy(np.arange(40.0).reshape(20, 2)))),
    "short_y.npz": npz(("X.npy", npy(X)), ("y.npy", npy(y[:2]))),
    "no_y.npz": npz(("X.npy", npy(X))),
    "no_array.npz": npz(("X.npy", b"something"), ("y.npy", npy(y))),
    "list.npy": headed("['descr', '<f8']"),
    "text_shape.npy": headed("{'descr': '<f8', 'fortran_order': False, 'shape': ('2', '2')}"),
    "list_shape.npy": headed("{'descr': '<f8', 'fortran_order': False, 'shape': [2, 2]}"),
    "negative.npy": headed("{'descr': '<f8', 'fortran_order': False, 'shape': (-2, -2)}"),
    "enormous.npy": headed("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12, 10**12)}"),
    "huge.npy": headed("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2)}"),
    "no_dtype.npy": headed("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 2)}"),
    "object.npy": headed("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2)}"),
    "longdouble.npy": npy(np.ones((2, 2), np.longdouble)),
    "complex.npy": npy(np.ones((2, 2), complex)),
    "code.npy": headed("{'descr': __import__('os'), 'fortran_order': False, 'shape': (2, 2)}"),
    "deep.npy": headed("(" * 60),
    "more.npy": npy(np.column_stack([X, y])) + b"\0" * 8,
    "less.npy": npy(np.column_stack([X, y]))[:-8],
    "empty.npy": npy(np.zeros((0, 3))),
    "version.npy": b"\x93NUMPY\x09\x00" + npy(X)[8:],
    "nan.npy": npy(np.array([[np.nan, 0.0], [1.0, 1.0]])),
    "digits.csv": "a,y\n٩,0\n2,1\n".encode(),
    "superscript.csv": "a,y\n²,0\n2,1\n".encode(),
    "underscore.csv": b"a,y\n1_0,0\n2,1\n",
    "hex.csv": b"a,y\n0x10,0\n2,1\n",
    "bits.csv": b"a,y\n100000000000000000000001,0\n2,1\n",
    "ragged.csv": b"a,y\n1,0\n2,1,3\n",
    "decimal_comma.csv": b"a;y\n1,5;0\n2,5;1\n",
    "superscript.libsvm": "1 ²:3\n-1 1:2\n".encode(),
    "digits.libsvm": "1 1:3٩\n-1 1:2\n".encode(),
    "arabic.libsvm": "1 ٣:3\n-1 1:2\n".encode(),
    "zero.libsvm": b"1 0:3\n-1 1:2\n",
    "twice.libsvm": b"1 2:3 02:4\n-1 1:2\n",
    "far.libsvm": b"1 99999999999999999999:1\n-1 1:2\n",
    "rounded.libsvm": b"1 1:9007199254740993\n-1 1:2\n",
    "no_colon.libsvm": b"1 3\n-1 1:2\n",
}


def marked(raw: bytes, offset: int, value: int) -> bytes:
    """A zip whose two headers of the first member say something else: a flag or a method."""
    out = bytearray(raw)
    for signature, more in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        at = raw.index(signature) + offset + more
        out[at : at + 2] = struct.pack("<H", value)
    return bytes(out)


HOSTILE["encrypted.npz"] = marked(GOOD["xy.npz"], 6, 1)
HOSTILE["method.npz"] = marked(GOOD["xy.npz"], 8, 97)


def exact(table: Any) -> list[list[Fraction]]:
    if isinstance(table, Wide):
        pairs = zip(table.values.tolist(), table.lost.tolist(), strict=True)
        return [[Fraction(v) + Fraction(r) for v, r in zip(a, b, strict=True)] for a, b in pairs]
    rows = table.toarray().tolist() if sparse.issparse(table) else table.tolist() if hasattr(table, "tolist") else table
    return [[Fraction(v) for v in row] for row in rows]


def dense(rows: list[Any]) -> list[list[Any]]:
    if not isinstance(rows[0], dict):
        return rows
    width = 1 + max(j for row in rows for j in row)
    return [[row.get(j, 0.0) for j in range(width)] for row in rows]


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("loss", ["hinge", "one_class"])
def test_both_read_the_same(tmp_path: Path, name: str, loss: str) -> None:
    path = tmp_path / name
    path.write_bytes(GOOD[name])
    table, labels = reading.load(str(path), None, loss=loss)
    found = checker.load(path, None, unlabelled=loss == "one_class")
    assert exact(dense(found.rows)) == exact(table)
    assert found.labels == ([] if labels is None else labels.tolist())


@pytest.mark.parametrize("name", HOSTILE)
def test_both_refuse_in_a_line(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    with pytest.raises(UsageError) as theirs:
        reading.load(str(path), None)
    with pytest.raises(checker.BadData) as ours:
        checker.load(path, None)
    for error in (theirs, ours):
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(str(path))
    assert run(["svm", "solve", str(path)]) == 2
    (tmp_path / "cert.json").write_text("{}")
    assert run(["svm", "check", str(tmp_path / "cert.json"), str(path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(300))
def test_both_agree_about_files_with_a_byte_changed(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    name = sorted(GOOD)[int(rng.integers(len(GOOD)))]
    raw = bytearray(GOOD[name])
    for _ in range(int(rng.integers(1, 4))):
        raw[int(rng.integers(len(raw)))] = int(
            rng.choice([0, 9, 10, 13, 32, 34, 44, 45, 46, 48, 57, 59, 101, 178, 255])
        )
    path = tmp_path / name
    path.write_bytes(bytes(raw))
    try:
        found: Any = checker.load(path, None)
    except checker.BadData:
        found = None
    try:
        table, labels = reading.load(str(path), None)
    except UsageError:
        return  # the solver may be the stricter one: nothing is proved of what it refuses
    assert found is not None
    assert exact(dense(found.rows)) == exact(table)
    assert found.labels == labels.tolist()


def test_what_to_do_about_a_zero_based_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "zero.libsvm"
    path.write_bytes(HOSTILE["zero.libsvm"])
    with pytest.raises(UsageError, match="count the columns from 1"):
        reading.load(str(path), None)


def test_a_weight_column_is_no_feature(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text("a,w,b,y\n1,0.25,2,0\n3,2,4,1\n")
    table, labels, weight = reading.load_weighted(str(path), None, "w")
    found = checker.load(path, None, weight="w")
    assert (table.tolist(), labels.tolist(), weight.tolist()) == ([[1, 2], [3, 4]], [0, 1], [0.25, 2])
    assert (found.rows, found.labels, found.weights) == ([[1, 2], [3, 4]], [0, 1], [0.25, 2])


def test_one_class_leaves_a_column_out_that_is_named_as_labels_are(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b,target\n1,2,x\n3,4,z\n")
    assert reading.load(str(path), None, loss="one_class")[0].tolist() == [[1, 2], [3, 4]]
    assert checker.load(path, None, unlabelled=True).rows == [[1, 2], [3, 4]]
