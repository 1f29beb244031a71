"""Modbus slaves of few lines on many links at once, each answer 0 to 0.6 s late at random. `late_lines.py LOG SEED PLACE...`: a PLACE is a TCP port
or a serial device. Register n holds n. An RTU answer comes even when the next request waits already. LOG gets `place unit first count delay`
for each request."""
import os, random, socket, struct, sys, threading, time

import serial

from asked import record

log = open(sys.argv[1], "ab", buffering=0)
LATEST = 0.6


def crc(data):
    c = 0xFFFF
    for byte in data:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ (0xA001 if c & 1 else 0)
    return struct.pack("<H", c)


def answer(place, unit, pdu, rng):
    """The answer's PDU, after its delay."""
    function, first, count = struct.unpack(">BHH", pdu)
    record(function)
    delay = rng.uniform(0, LATEST)
    log.write(f"{place} {unit} {first} {count} {delay:.3f}\n".encode())
    time.sleep(delay)
    if function not in (3, 4):
        return bytes([function | 0x80, 1])
    return bytes([function, 2 * count]) + b"".join(struct.pack(">H", n) for n in range(first, first + count))


def serve_line(device, rng):
    line = serial.Serial(device, 38400)
    waiting = b""
    while True:
        waiting += line.read(1)
        if len(waiting) < 8:
            continue
        if waiting[6:8] != crc(waiting[:6]):
            waiting = waiting[1:]
            continue
        request, waiting = waiting[:8], waiting[8:]
        body = request[:1] + answer(device, request[0], request[1:6], rng)
        line.write(body + crc(body))


def read(connection, n):
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def serve_connection(connection, port, rng):
    try:
        while True:
            number, _, length, unit = struct.unpack(">HHHB", read(connection, 7))
            pdu = answer(port, unit, read(connection, length - 1), rng)
            connection.sendall(struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu)
    except OSError:
        pass
    finally:
        connection.close()


def serve_port(listener, port, rng):
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_connection, args=(connection, port, rng), daemon=True).start()


threads = []
for number, place in enumerate(sys.argv[3:]):
    rng = random.Random(int(sys.argv[2]) * 1000 + number)
    if place.isdigit():
        listener = socket.create_server(("127.0.0.1", int(place)))
        thread = threading.Thread(target=serve_port, args=(listener, place, rng), daemon=True)
    else:
        thread = threading.Thread(target=serve_line, args=(place, rng), daemon=True)
    thread.start()
    threads.append(thread)
print("ready", flush=True)
for thread in threads:
    thread.join()
