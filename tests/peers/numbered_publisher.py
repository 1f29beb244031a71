"""Publishes numbers with QoS 1 by paho, each until its PUBACK: numbered_publisher.py PORT COUNT TAGS RATE START_MS STEP_MS

Message i goes to p/T<i mod TAGS> as {"v": i, "ts": START_MS + i * STEP_MS}. COUNT 0: until stdin ends; RATE 0: as fast as it
goes. Prints "ready" when connected, at the end the count of messages that the broker has acknowledged.
"""
import sys
import threading
import time

import paho.mqtt.client as mqtt

port, count, tags, rate, start, step = (int(a) for a in sys.argv[1:7])
# one at a time where order is measured over a broker's end: paho may send new messages before it repeats old ones
WINDOW = 1 if rate else 20

client = mqtt.Client(client_id="numbers", clean_session=False)
client.max_inflight_messages_set(WINDOW)
client.reconnect_delay_set(min_delay=0.02, max_delay=0.2)
up = threading.Event()
client.on_connect = lambda *a: up.set()
room = threading.Semaphore(WINDOW)
acked = 0


def on_publish(*_):
    global acked
    acked += 1
    room.release()


client.on_publish = on_publish
client.connect("127.0.0.1", port, keepalive=5)
client.loop_start()
up.wait()
print("ready", flush=True)
ended = threading.Event()
if count == 0:
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
i = 0
begun = time.monotonic()
while not ended.is_set() and (count == 0 or i < count):
    room.acquire()
    client.publish(f"p/T{i % tags}", f'{{"v":{i},"ts":{start + i * step}}}', qos=1)
    i += 1
    if rate:
        time.sleep(max(0, begun + i / rate - time.monotonic()))
while acked < i:
    time.sleep(0.01)
client.disconnect()
client.loop_stop()
print(acked, flush=True)
