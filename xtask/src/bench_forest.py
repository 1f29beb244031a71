"""Fit of 200 extremely randomised trees: noxctl against scikit-learn, alternating, same rows and cores. bench NOXCTL CSV …"""
import json, os, statistics, subprocess, sys, tempfile, time

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor

noxctl, files = sys.argv[1], sys.argv[2:]
data = pd.concat([pd.read_csv(f) for f in files])
x, y = data[["AT", "AP", "AH", "AFDP", "GTEP", "TIT", "TAT", "TEY", "CDP"]].to_numpy("float32"), data["NOX"].to_numpy()
cores = os.cpu_count()
ours, theirs = [], []
with tempfile.TemporaryDirectory() as d:
    for seed in range(5):
        command = [noxctl, "train", "--data", *files, "--target", "NOX", "--trees", "200", "--seed", str(seed), "--no-validate", "--out", f"{d}/m.xt", "--json"]
        ours.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["fit_seconds"])
        t = time.perf_counter()
        ExtraTreesRegressor(200, n_jobs=cores, random_state=seed).fit(x, y)
        theirs.append(time.perf_counter() - t)
print(f"{len(y)} rows, 200 trees, {cores} cores, median of 5: noxctl {statistics.median(ours):.2f} s, scikit-learn {statistics.median(theirs):.2f} s, ratio {statistics.median(theirs) / statistics.median(ours):.2f}")
