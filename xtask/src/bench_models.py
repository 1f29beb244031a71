"""100 extremely randomised trees grown to the end, on one thread: noxctl, scikit-learn and smartcore on the same rows, in turn.
bench NOXCTL BENCH YEAR [CSV …]: BENCH is the example `bench` of models, YEAR that of the simulator, whose rows are taken without a CSV."""
import hashlib, json, os, pathlib, statistics, subprocess, sys, tempfile, time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)
os.environ["RAYON_NUM_THREADS"] = "1"
import joblib
import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

INPUTS, TARGET = ["AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP"], "NOX"
TREES, ROUNDS, BATCH, HOURS = 100, 3, 14_000, 22_191
noxctl, bench, year, *files = sys.argv[1:]


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def said(*command):
    return json.loads(subprocess.run([str(c) for c in command], capture_output=True, check=True).stdout.splitlines()[-1])


def table(file):
    columns = np.genfromtxt(file, delimiter=",", names=True)
    columns = columns[columns["running"] > 0.99] if "running" in columns.dtype.names else columns
    return np.column_stack([columns[name] for name in INPUTS + [TARGET]])


def save(file, rows):
    np.savetxt(file, rows, delimiter=",", header=",".join(INPUTS + [TARGET]), comments="", fmt="%.9g")
    return file


def train(data, out, seed, threads=1):
    return said(noxctl, "train", "--data", data, "--target", TARGET, "--trees", TREES, "--threads", threads, "--seed", seed, "--no-validate", "--out", out, "--json")


def error(predicted, measured):
    return float(np.mean(np.abs(predicted - measured)))


with tempfile.TemporaryDirectory() as d:
    d = pathlib.Path(d)
    if not files:
        with open(d / "year.csv", "w") as out:
            subprocess.run([year, "0", str(HOURS)], stdout=out, check=True)
        files = [d / "year.csv"]
    tables = [table(file) for file in files]
    rows = np.concatenate(tables)
    x, y = rows[:, :-1].astype(np.float32), rows[:, -1]
    batch = rows[np.linspace(0, len(rows) - 1, BATCH).astype(int)]
    bx = batch[:, :-1].astype(np.float32)
    all_rows, batch_rows = save(d / "all.csv", rows), save(d / "batch.csv", batch)
    model, pickle = d / "m.xt", d / "m.joblib"

    times = {}
    note = lambda who, what, seconds: times.setdefault((who, what), []).append(seconds)
    for seed in range(ROUNDS):
        seconds, forest = timed(lambda: ExtraTreesRegressor(TREES, n_jobs=1, random_state=seed).fit(x, y))
        note("sk", "fit", seconds)
        seconds, trained = timed(lambda: train(all_rows, model, seed))
        note("own", "fit", seconds)
        smart = said(bench, "smartcore", TREES, seed, all_rows, batch_rows)
        [note("smart", what, smart[what]) for what in ("fit", "batch")]
        own = said(bench, "own", model, batch_rows)
        [note("own", what, own[what]) for what in ("batch", "single", "load")]
        note("sk", "batch", statistics.median(timed(lambda: forest.predict(bx))[0] for _ in range(3)))
        note("sk", "single", statistics.median(timed(lambda: forest.predict(bx[i : i + 1]))[0] for i in range(100)))
        joblib.dump(forest, pickle)
        note("sk", "load", timed(lambda: joblib.load(pickle))[0])
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    size, sk_size = model.stat().st_size, pickle.stat().st_size
    pickle.unlink()
    same = {hashlib.sha256(model.read_bytes()).hexdigest() for n in (1, 2, 3) if train(all_rows, model, 0, n)}

    # accuracy: the later rows by forests of the earlier ones
    border = len(rows) - len(tables[-1]) if len(tables) > 1 else len(rows) * 4 // 5
    early, late = save(d / "early.csv", rows[:border]), save(d / "late.csv", rows[border:])
    train(early, model, 0)
    mae = {"own": said(bench, "own", model, late)["mae"], "smart": said(bench, "smartcore", TREES, 0, early, late)["mae"]}
    forest = ExtraTreesRegressor(TREES, n_jobs=1, random_state=0).fit(x[:border], y[:border])
    mae["sk"] = error(forest.predict(x[border:]), y[border:])

median = {key: statistics.median(values) for key, values in times.items()}


def line(what, show, own, sk, smart=None):
    ratio = lambda other: f"{other / own:.1f}" if other else "—"
    cells = [show(own), show(sk), show(smart) if smart else "—", ratio(sk), ratio(smart)]
    print(f"| {what} | " + " | ".join(cells) + " |")


print(f"{len(rows)} rows, {len(INPUTS)} inputs, {TREES} trees, one thread, in turn, median of {ROUNDS}; ratios: theirs / noxctl's\n")
print("| | noxctl | scikit-learn | smartcore | ratio to scikit-learn | to smartcore |\n|---|---|---|---|---|---|")
of = lambda what: [median.get((who, what)) for who in ("own", "sk", "smart")]
line("fit (noxctl: the whole process, files read and written; the others: the fit alone)", lambda s: f"{s:.2f} s", *of("fit"))
line(f"prediction of {BATCH} rows", lambda s: f"{s * 1e3:.0f} ms", *of("batch"))
line("prediction of one row, p50", lambda s: f"{s * 1e6:.1f} µs", *of("single"))
line("file", lambda b: f"{b / 1e6:.1f} MB", size, sk_size)
line("load", lambda s: f"{s * 1e3:.0f} ms", *of("load"))
line("nodes", lambda n: f"{n / 1e6:.2f} million", trained["nodes"], nodes)
print(f"| MAE on the last {len(rows) - border} rows, fitted on those before | {mae['own']:.3f} | {mae['sk']:.3f} | {mae['smart']:.3f} | | |")
print(f"\nthe model is {'the same' if len(same) == 1 else 'NOT the same'} for 1, 2 and 3 threads")
