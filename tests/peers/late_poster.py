"""Posts readings late, out of order, doubly and over steps of the clock: late_poster.py PORT BATCHES SEED. Says how many were confirmed."""
import datetime
import http.client
import json
import random
import sys

port, batches, seed = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
TAGS = ["A", "B", "C", "D"]
rng = random.Random(seed)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
now = 1_790_000_000_000_000 + seed * 86_400_000_000
sent = 0


def post(lines):
    """Again until it is confirmed: the program is killed meanwhile."""
    body = "\n".join(json.dumps(line) for line in lines)
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("POST", "/readings", body, {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status == 204:
                return
            if answer.status < 500:
                sys.exit(f"{answer.status}: {text}")
        except OSError:
            pass


last = []
for batch in range(batches):
    step = rng.choice([20_000, 300_000, 1_000_000, 1_000_000, 8_000_000, 60_000_000])
    if batch % 40 == 17:
        now += rng.choice([-3_600_000_000, 3_600_000_000])
    lines = []
    for _ in range(rng.randrange(1, 120)):
        now += rng.randrange(1, 2 * step)
        late = rng.randrange(8 * 3_600_000_000) if rng.random() < 0.04 else 0
        time = (EPOCH + datetime.timedelta(microseconds=now - late)).isoformat().replace("+00:00", "Z")
        for tag in rng.sample(TAGS, rng.randrange(1, 5)):
            quality = rng.choice(["good"] * 12 + ["bad", "uncertain"])
            lines.append({"tag": tag, "v": rng.randrange(100_000) / 7, "ts": time, "q": quality})
    rng.shuffle(lines)
    post(lines)
    sent += len(lines)
    if batch % 7 == 3:
        post(last)
    last = lines
print(sent)
