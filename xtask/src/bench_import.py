"""Import of a year of history: bench NOXCTL [PART]. A CSV of a row a second with 12 tags (PART of a year, 1 for all), imported by
noxctl with everything it keeps, and by sqlite3's own .import into a table of plain rows."""
import json, math, os, pathlib, subprocess, sys, tempfile, time

noxctl = sys.argv[1]
part = float(sys.argv[2]) if len(sys.argv) > 2 else 0.1
TAGS = ["AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP", "CO", "NOX", "O2"]
rows = int(31_536_000 * part)


def write(path):
    """The values of a minute are drawn once a minute: the file is as long, and written in minutes, not in an hour."""
    from datetime import datetime, timezone
    with open(path, "w", buffering=1 << 20) as file:
        file.write("t," + ",".join(TAGS) + "\n")
        for hour in range(0, rows, 3600):
            stamp = datetime.fromtimestamp(1735689600 + hour, timezone.utc).strftime("%Y-%m-%dT%H:")
            lines = []
            for minute in range(60):
                base = [f"{20 + 10 * i + 5 * math.sin((hour + 60 * minute) / 7000 + i):.2f}" for i in range(len(TAGS))]
                tails = [",".join(f"{value}{(second * 37 + i * 11) % 100:02d}" for i, value in enumerate(base)) for second in range(60)]
                lines += [f"{stamp}{minute:02d}:{second:02d}Z,{tail}\n" for second, tail in enumerate(tails)]
            file.writelines(lines[: rows - hour])


def timed(what, command, **more):
    start = time.monotonic()
    output = subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout
    seconds = time.monotonic() - start
    print(f"{what}: {seconds:.1f} s, {rows / seconds:.0f} rows/s, {rows * len(TAGS) / seconds / 1e6:.2f} M readings/s", flush=True)
    return seconds, output


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    csv = folder / "h.csv"
    write(csv)
    print(f"{rows} rows of {len(TAGS)} tags, {csv.stat().st_size / 1e9:.2f} GB, load {os.getloadavg()[0]:.1f}", flush=True)
    tags = "".join(f'[[tag]]\nname = "{t}"\nunit = "1"\n' for t in TAGS)
    config = folder / "p.plant.toml"
    config.write_text(f'schema = 1\n[plant]\nname = "P"\nturbine = "GT1"\n[store]\npath = "p.sqlite"\n{tags}')
    plain = folder / "plain.sqlite"
    columns = ", ".join(f"{t} REAL" for t in TAGS)
    script = f"CREATE TABLE history(t TEXT, {columns});\n.mode csv\n.import --skip 1 {csv} history\n"
    theirs, _ = timed("sqlite3 .import", ["sqlite3", str(plain)], input=script)
    print(f"  {plain.stat().st_size / rows / len(TAGS):.1f} bytes a reading", flush=True)
    plain.unlink()
    command = ["/usr/bin/time", "-f", "%M", noxctl, "import", "--config", config, "--csv", csv, "--json"]
    ours, output = timed("noxctl import", command if os.path.exists("/usr/bin/time") else command[3:])
    assert json.loads(output)["readings"] == rows * len(TAGS), output
    print(f"  {(folder / 'p.sqlite').stat().st_size / rows / len(TAGS):.1f} bytes a reading, tiers and all; ratio {ours / theirs:.2f}")
