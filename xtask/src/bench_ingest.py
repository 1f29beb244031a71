"""Durable ingest: bench NOXCTL PLAIN_ROWS [SECONDS]. noxctl records 50 tags from a replayed file, through its channel, its writer
and with its tiers, at rising rates; sqlite3 counts what is there. Beside it the same stream as plain rows."""
import json, math, pathlib, subprocess, sys, tempfile, time
from datetime import datetime

noxctl, plain_rows = sys.argv[1], sys.argv[2]
seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
TAGS, ROWS = 50, 20_000


def value(row, tag):
    return 100 + 20 * math.sin(row / 3000 + tag) + (row * 7919 % 1000) * 1e-3


def late(stdout):
    """For each commit: how long the oldest of it waited, at most. It came after the newest of the commit before."""
    waits, before = [], None
    for line in stdout:
        now = time.time()
        event = json.loads(line)
        if event["event"] == "committed":
            newest = datetime.fromisoformat(event["t"]).timestamp()
            if before is not None:
                waits.append(now - before)
            before = newest
    return sorted(waits)


def run(folder, rate):
    db = folder / "ingest.sqlite"
    for file in folder.glob("ingest.sqlite*"):
        file.unlink()
    tags = "".join(f'[[tag]]\nname = "T{i}"\nunit = "degC"\n' for i in range(TAGS))
    (folder / "ingest.plant.toml").write_text(
        f'schema = 1\n[plant]\nname = "P"\nturbine = "GT1"\n[store]\npath = "{db.name}"\n{tags}'
        f'[[source]]\nid = "file"\nkind = "replay"\nfile = "rows.csv"\nspeed = {rate}\nloop = true\n')
    command = [noxctl, "run", "--config", folder / "ingest.plant.toml", "--seconds", str(seconds), "--events", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
        waits = late(program.stdout)
    sql = lambda text: subprocess.run(["sqlite3", db, text], capture_output=True, text=True, check=True).stdout.split()
    part = sql("SELECT p.id FROM part p JOIN stream s ON s.id = p.stream WHERE s.source = 'file'")[0]
    count = sql(f"SELECT count(*) * {TAGS}, max(time) - min(time) FROM frame_{part}; SELECT count(*) FROM tier_{part}_10; PRAGMA quick_check")
    readings, span = map(int, count[0].split("|"))
    at = lambda part: 1e3 * waits[min(len(waits) - 1, int(len(waits) * part))]
    print(f"asked for {rate * TAGS} readings/s: {readings} readings on the disk, {readings / (span / 1e6):.0f} a second, "
          f"{len(waits) + 1} commits, the oldest of a commit waited {at(.5):.1f} ms (median), {at(.99):.1f} ms (99th), {at(1):.1f} ms (longest), "
          f"{db.stat().st_size / readings:.1f} bytes a reading, {count[1]} buckets of 10 s, {count[2]}", flush=True)
    return readings / (span / 1e6)


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    with open(folder / "rows.csv", "w") as file:
        file.write("t," + ",".join(f"T{i}" for i in range(TAGS)) + "\n")
        for row in range(ROWS):
            stamp = datetime.fromtimestamp(1772323200 + row).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")
            file.write(stamp[:-2] + ":" + stamp[-2:] + "," + ",".join(f"{value(row, tag):.6f}" for tag in range(TAGS)) + "\n")
    rates = [run(folder, rate) for rate in (2_000, 4_000, 8_000, 16_000)]
    plain = float(subprocess.run([plain_rows, str(seconds)], capture_output=True, text=True, check=True).stdout.split()[0])
    print(f"plain rows (time, tag, value, quality) with an index, 1000 a transaction: {plain:.0f} readings/s; ratio {max(rates) / plain:.1f}")
