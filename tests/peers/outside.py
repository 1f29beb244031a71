"""A look at a database from outside, with Python's SQLite. `outside.py DB SEQ SOURCE`: one JSON object.

missing: of the sequence numbers 1..SEQ, those without a row. twice, disordered: frames of SOURCE that have the time of the one before them, or
an earlier one. incomplete: its good frames in which a value is missing. longest_gap: seconds between two of its frames, and where it begins."""
import json, sqlite3, sys


def main():
    path, upto, source = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    db = sqlite3.connect(path, timeout=10)
    integrity = db.execute("PRAGMA integrity_check").fetchone()[0]
    tables = db.execute("SELECT p.id, s.source, s.is_predicted FROM part p JOIN stream s ON s.id = p.stream").fetchall()
    seqs = set()
    for part, _, _ in tables:
        seqs.update(seq for (seq,) in db.execute(f"SELECT seq FROM frame_{part}"))
    twice = disordered = incomplete = frames = 0
    longest = (0.0, None)
    for part in (p for p, s, predicted in tables if s == source and not predicted):
        places = [f"c{place}" for (place,) in db.execute("SELECT place FROM field WHERE part = ?", (part,))]
        complete = " + ".join(f"({c} IS NULL)" for c in places)
        last = None
        for time, gaps in db.execute(f"SELECT time, CASE WHEN quality IS NULL THEN {complete} ELSE 0 END FROM frame_{part} ORDER BY seq"):
            frames += 1
            incomplete += gaps > 0
            if last is not None:
                twice += time == last
                disordered += time < last
                longest = max(longest, ((time - last) / 1e6, last), key=lambda g: g[0])
            last = time
    print(json.dumps(dict(integrity=integrity, missing=sum(1 for s in range(1, upto + 1) if s not in seqs), max=max(seqs, default=0), frames=frames,
                          twice=twice, disordered=disordered, incomplete=incomplete, longest_gap=longest[0])))


if __name__ == "__main__":
    main()
