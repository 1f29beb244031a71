"""Recomputes every bucket of every tier from the frames, and compares: tiers.py DATABASE. Prints buckets, frames, differences.

Knows of the file what ARCHITECTURE.md says: rows of frame_P (time, quality, c0 ...), rows of tier_P_SECONDS (number, reductions)."""
import collections
import math
import sqlite3
import struct
import sys

BAD = 2


def number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def decoded(data):
    at = 0
    while at < len(data):
        n, at = number(data, at)
        bad, at = number(data, at)
        n, is_constant = n >> 1, n & 1
        values = ()
        if n:
            count = 1 if is_constant else 3
            values = struct.unpack_from(f"<{count}d", data, at) * (3 if is_constant else 1)
            at += 8 * count
        yield n, bad, values


def wanted(rows, quality):
    """By place: numbers, and how many are bad."""
    sums = collections.defaultdict(lambda: ([], 0))
    for codes, *values in rows:
        for place, value in enumerate(values):
            code = (codes[place] if place < len(codes) else 255) if codes is not None else (255 if value is None else 0)
            if code == 255:
                continue
            good, bad = sums[place]
            if value is None or quality[code] == "bad":
                sums[place] = good, bad + 1
            else:
                good.append(value)
    return sums


def main(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    quality = {int(code, 16): word for code, word in db.execute("SELECT code, quality FROM status")}
    buckets = frames = differences = 0
    tiers = [name.split("_")[1:] for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'tier_*'")]
    for part, secs in tiers:
        columns = ", ".join(f"c{p}" for (p,) in db.execute("SELECT place FROM field WHERE part = ? ORDER BY place", (part,)))
        if secs == "10":
            frames += db.execute(f"SELECT count(*) FROM frame_{part}").fetchone()[0]
        length = int(secs) * 1_000_000
        for n, data in db.execute(f"SELECT number, reductions FROM tier_{part}_{secs}"):
            rows = db.execute(f"SELECT quality, {columns} FROM frame_{part} WHERE time >= ? AND time < ?", (n * length, (n + 1) * length))
            sums, found = wanted(rows, quality), list(decoded(data))
            buckets += 1
            for place in range(max(len(found), 1 + max(sums, default=-1))):
                count, bad, values = found[place] if place < len(found) else (0, 0, ())
                good, want_bad = sums.get(place, ([], 0))
                is_right = (count, bad) == (len(good), want_bad)
                if is_right and good:
                    is_right = values[:2] == (min(good), max(good)) and math.isclose(values[2], math.fsum(good) / len(good), rel_tol=1e-12, abs_tol=1e-12)
                if not is_right:
                    differences += 1
                    print(f"tier {secs} s of part {part}, bucket {n}, place {place}: {count, bad, values}, of {len(good), want_bad}", file=sys.stderr)
    print(buckets, frames, differences)


main(sys.argv[1])
