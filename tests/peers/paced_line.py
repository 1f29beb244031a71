"""Ten Modbus RTU slaves on one line that is as slow as a real one: bytes take the time of their bits. `paced_line.py DEVICE BAUD DEAD`: units 1 to
10, unit DEAD never answers, register n holds n. A pseudo-terminal carries bytes at once, so the time of the request's bytes, the silences of 3.5
characters and the time of the answer's bytes are waited for here, and the answer is written in pieces."""
import struct, sys, time

import serial

from asked import record

device, baud, dead = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BYTE = 10 / baud
SILENCE = 3.5 * 11 / baud
PIECE = 4


def crc(data):
    c = 0xFFFF
    for byte in data:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ (0xA001 if c & 1 else 0)
    return struct.pack("<H", c)


line = serial.Serial(device, baud)
print("ready", flush=True)
waiting = b""
while True:
    waiting += line.read(1)
    if len(waiting) < 8:
        continue
    if waiting[6:8] != crc(waiting[:6]):
        waiting = waiting[1:]
        continue
    request, waiting = waiting[:8], waiting[8:]
    unit, function, first, count = struct.unpack(">BBHH", request[:6])
    record(function)
    if unit == dead or not 1 <= unit <= 10:
        continue
    due = time.monotonic() + 8 * BYTE + 2 * SILENCE
    if function in (3, 4):
        body = struct.pack(">BBB", unit, function, 2 * count) + b"".join(struct.pack(">H", n) for n in range(first, first + count))
    else:
        body = bytes([unit, function | 0x80, 1])
    frame = body + crc(body)
    for start in range(0, len(frame), PIECE):
        piece = frame[start:start + PIECE]
        due += len(piece) * BYTE
        time.sleep(max(0, due - time.monotonic()))
        line.write(piece)
