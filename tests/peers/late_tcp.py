"""A Modbus TCP slave of few lines, for what ready-made ones cannot show. `late_tcp.py PORT LOG`: register n holds n.

Unit 9 never answers. One answer in 25 of unit 2 comes 0.3 to 1.2 s late. Every function code asked for is written to LOG.
"""
import random, socketserver, struct, sys, time

from asked import record

rng = random.Random(7)


class Handler(socketserver.BaseRequestHandler):
    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.request.recv(n - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def handle(self):
        try:
            while True:
                tid, _, length, unit = struct.unpack(">HHHB", self.read(7))
                pdu = self.read(length - 1)
                record(pdu[0])
                with open(LOG, "a") as f:
                    f.write(f"{unit} {pdu[0]}\n")
                if unit == 9:
                    continue
                if pdu[0] in (3, 4):
                    first, count = struct.unpack(">HH", pdu[1:5])
                    body = bytes([pdu[0], 2 * count]) + b"".join(struct.pack(">H", r) for r in range(first, first + count))
                elif pdu[0] in (1, 2):
                    first, count = struct.unpack(">HH", pdu[1:5])
                    body = bytes([pdu[0], (count + 7) // 8]) + bytes((count + 7) // 8)
                else:
                    body = bytes([pdu[0] | 0x80, 1])
                if unit == 2 and rng.random() < 0.04:
                    time.sleep(rng.uniform(0.3, 1.2))
                self.request.sendall(struct.pack(">HHHB", tid, 0, len(body) + 1, unit) + body)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    LOG = sys.argv[2]
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    print("ready", flush=True)
    server.serve_forever()
