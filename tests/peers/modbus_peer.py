"""pymodbus slave. `modbus_peer.py tcp PORT | rtu DEVICE`; unit id 1 (and 7 with the same registers).

Holding registers 0..19: the nine inputs and NOX as float32 ABCD. 100..: one value in each type and order (see TYPED).
Input registers 0..: int16 142, -55. Discrete inputs 0..15: False True False ...
"""
import asyncio, struct, sys

from asked import record

VALUES = [14.25, 1013.25, 81.0, 3.875, 25.125, 1083.5, 549.75, 120.5, 12.0625, 65.5]
TYPED = [  # offset, type, order, value
    (100, "int16", None, -1234), (101, "uint16", None, 54321),
    (102, "int32", "ABCD", -123456789), (104, "int32", "CDAB", -123456789), (106, "uint32", "DCBA", 3123456789),
    (108, "float32", "ABCD", 30.5625), (110, "float32", "CDAB", 30.5625), (112, "float32", "BADC", 30.5625), (114, "float32", "DCBA", 30.5625),
    (116, "float64", "ABCD", -0.001953125), (120, "int64", "ABCD", -4503599627370495), (124, "float32", "ABCD", float("nan")),
]
FORMAT = dict(int16=">h", uint16=">H", int32=">i", uint32=">I", int64=">q", uint64=">Q", float32=">f", float64=">d")


def words(kind, order, value):
    """Registers of a value: the order names where the bytes A (high) .. D (low) lie on the wire; 64 bit alike, by words."""
    raw = struct.pack(FORMAT[kind], value)
    pairs = [raw[i:i + 2] for i in range(0, len(raw), 2)]
    if order in ("CDAB", "DCBA"):
        pairs.reverse()
    if order in ("BADC", "DCBA"):
        pairs = [p[::-1] for p in pairs]
    return [int.from_bytes(p, "big") for p in pairs]


def holding():
    regs = [0] * 128
    for i, v in enumerate(VALUES):
        regs[2 * i:2 * i + 2] = words("float32", "ABCD", v)
    for offset, kind, order, value in TYPED:
        w = words(kind, order, value)
        regs[offset:offset + len(w)] = w
    return regs


def main():
    from pymodbus import FramerType
    from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice
    bits = [i % 2 == 1 for i in range(16)]
    blocks = ([SimData(0, values=bits, datatype=DataType.BITS)], [SimData(0, values=bits, datatype=DataType.BITS)],
              [SimData(0, values=holding(), datatype=DataType.REGISTERS)], [SimData(0, values=[142, -55 & 0xFFFF], datatype=DataType.REGISTERS)])
    devices = [SimDevice(i, simdata=blocks) for i in (1, 7)]
    mode, where = sys.argv[1:3]

    def trace(is_answer, pdu):
        if not is_answer:
            record(pdu.function_code)
        return pdu
    print("ready", flush=True)
    if mode == "tcp":
        asyncio.run(StartAsyncTcpServer(devices, address=("127.0.0.1", int(where)), trace_pdu=trace))
    else:
        asyncio.run(StartAsyncSerialServer(devices, port=where, framer=FramerType.RTU, baudrate=9600, trace_pdu=trace))


if __name__ == "__main__":
    main()
