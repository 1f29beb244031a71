"""Rows a second from the store into PostgreSQL against psql's copy of the same rows: bench_postgres.py NOXCTL [ROUNDS] [TABLE]. TABLE: `brin` (as the
program makes it), `plain` (without the BRIN index), `single` (not partitioned)."""
import glob
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

noxctl, rounds, table = sys.argv[1], int((sys.argv[2:] or ["3"])[0]), (sys.argv[3:] or ["brin"])[0]
TAGS, SECONDS = 12, 86_400
COLUMNS = "plant, turbine, tag, ts, seq, value, quality, reason, model"
as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
bin = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])


def run(*args, **more):
    return subprocess.run([str(a) for a in args], check=True, capture_output=True, text=True, cwd="/", **more).stdout


with tempfile.TemporaryDirectory() as folder:
    d = pathlib.Path(folder)
    d.chmod(0o777)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    run(*as_user, bin / "initdb", "-D", d / "pg", "-A", "trust", "-U", "nox")
    options = f"-p {port} -k {d}/pg -c listen_addresses=127.0.0.1 -c shared_buffers=512MB -c max_wal_size=8GB"
    subprocess.run([*as_user, bin / "pg_ctl", "-D", d / "pg", "-w", "-l", d / "pg/log", "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    try:
        url = f"postgresql://nox@127.0.0.1:{port}/postgres"
        ask = lambda sql: run(bin / "psql", "-XAtq", url, "-c", sql)

        def clock(sql):
            begin = time.perf_counter()
            ask(sql)
            return time.perf_counter() - begin

        ask(run(noxctl, "export", "postgres", "--print-schema"))
        if table == "plain":
            ask("drop index nox.reading_ts")
        if table == "single":
            ask("create table t (like nox.reading including all); drop table nox.reading cascade; alter table t set schema nox; alter table nox.t rename to reading;"
                + " drop index nox.t_ts_idx")
        names = [f"A{n}" for n in range(TAGS)]
        with open(d / "day.csv", "w") as out:
            out.write("t," + ",".join(names) + "\n")
            for row in range(SECONDS):
                values = ",".join(repr((row * 37 + n * 11) % 1009 / 7.0) for n in range(TAGS))
                out.write(f"2026-03-01T{row // 3600:02}:{row // 60 % 60:02}:{row % 60:02}Z,{values}\n")
        (d / "t.plant.toml").write_text('schema = 1\n[plant]\nname = "Bench"\nturbine = "GT1"\n[store]\npath = "t.sqlite"\n'
                                        + "".join(f'[[tag]]\nname = "{n}"\nunit = "1"\n' for n in names))
        run(noxctl, "import", "--config", d / "t.plant.toml", "--csv", d / "day.csv", "--json")
        rows = TAGS * SECONDS
        ours, theirs = [], []
        for number in range(rounds):
            ask("truncate nox.reading, nox.export_range, nox.event, nox.tag; checkpoint")
            begin = time.perf_counter()
            done = json.loads(run(noxctl, "export", "postgres", "--db", d / "t.sqlite", "--url", url, "--json"))
            ours.append(rows / (time.perf_counter() - begin))
            assert done["inserted"] == rows, done
            if number == 0:
                ask(f"\\copy (select {COLUMNS} from nox.reading order by seq) to '{d}/rows.csv' csv")
                size = ask("select pg_size_pretty(sum(pg_total_relation_size(c.oid))) from pg_class c where relnamespace = 'nox'::regnamespace and relkind = 'r' and relname like 'reading%'")
            ask("truncate nox.reading, nox.export_range, nox.event, nox.tag; checkpoint")
            begin = time.perf_counter()
            ask(f"\\copy nox.reading ({COLUMNS}) from '{d}/rows.csv' csv")
            theirs.append(rows / (time.perf_counter() - begin))
            print(f"round {number + 1}: export {ours[-1]:,.0f} rows/s, psql \\copy {theirs[-1]:,.0f} rows/s")
        begin = time.perf_counter()
        again = json.loads(run(noxctl, "export", "postgres", "--db", d / "t.sqlite", "--url", url, "--json"))
        assert again["inserted"] == 0, again
        print(f"{table}: {rows} rows, {size.strip()}; replayed, nothing new: {rows / (time.perf_counter() - begin):,.0f} rows/s")
        if table == "brin":
            ask("vacuum analyze nox.reading")
            panel = "select count(*) from nox.measured_predicted where ts >= '2026-03-01 12:00Z' and ts < '2026-03-01 13:00Z' and plant = 'Bench' and turbine = 'GT1' and target = 'NOX'"
            took = lambda: min(clock(panel) for _ in range(5))
            with_index = took()
            ask("drop index nox.reading_ts")
            print(f"an hour of nox.measured_predicted out of a day: {with_index * 1e3:.0f} ms with the BRIN index, {took() * 1e3:.0f} ms without")
        o, t = statistics.median(ours), statistics.median(theirs)
        print(f"{table}: export {o:,.0f} rows/s, psql \\copy from CSV {t:,.0f} rows/s, ratio {o / t:.2f} (medians of {rounds})")
    finally:
        subprocess.run([*as_user, bin / "pg_ctl", "-D", d / "pg", "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, cwd="/")
