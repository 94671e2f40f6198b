"""safetensors files with a seal: the SHA-256 of every byte, so that none can change unnoticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

KEY = "twingrad"  # the one key of the metadata: safetensors writes several in an order that changes from run to run
MARK = f'"{KEY}":"sha256:'.encode()
BLANK = "0" * 64

Arrays = dict[str, np.ndarray[Any, Any]]


def seal(kind: str, version: int, arrays: Mapping[str, Any], header: Mapping[str, Any]) -> bytes:
    """A safetensors file, the same bytes for the same content.

    Its metadata hold one key, "twingrad": "sha256:" and the hash of the whole file with 64 zeros in the hash's place,
    then JSON: the header with "kind" and "format", the version.
    """
    told = json.dumps({**header, "kind": kind, "format": version}, sort_keys=True, allow_nan=False)
    # in C order, because safetensors 0.8 writes any other wrongly without a word
    plain = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    content = bytearray(save_arrays(plain, {KEY: f"sha256:{BLANK} {told}"}))
    place = content.index(MARK) + len(MARK)
    content[place : place + 64] = hashlib.sha256(content).hexdigest().encode()
    return bytes(content)


def unseal(file: Path, kind: str, version: int) -> tuple[Arrays, dict[str, Any]]:
    """The arrays and the header of a sealed file.

    Raises:
        OSError: there is no such file.
        ValueError: it is truncated, altered in any byte, not twingrad's, of another kind or format version.
    """
    content = bytearray(file.read_bytes())
    place = content.find(MARK) + len(MARK)
    if place < len(MARK):
        raise ValueError(_without_seal(content, file, kind))
    found = bytes(content[place : place + 64])
    content[place : place + 64] = BLANK.encode()
    if hashlib.sha256(content).hexdigest().encode() != found:
        raise ValueError(
            f"{file} is damaged: its bytes do not have the hash that it was sealed with; put a whole copy in its place"
        )
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][KEY].partition(" ")[2])
    if header["kind"] != kind:
        raise ValueError(f"{file} is a {header['kind']} file; a {kind} file is due")
    if header["format"] != version:
        raise ValueError(f"{file} has format version {header['format']}; this twingrad reads version {version}")
    return load_arrays(bytes(content)), header


def _without_seal(content: bytearray, file: Path, kind: str) -> str:
    try:
        load_arrays(bytes(content))
    except SafetensorError as error:
        return f"{file} is not a {kind} file, or not a whole one ({error})"
    return f"{file} is not a {kind} file of twingrad's, or damaged: its metadata lack a seal under {KEY!r}"
