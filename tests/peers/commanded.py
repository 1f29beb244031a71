"""modbus-tk's slave that does what it is told. `commanded.py PORT`; unit id 1.

Holding register 0 holds the number of the last line of stdin (answered with the same line once it is set); register 1 counts the
requests: it is one more at every read, from 1, modulo 65536.
"""
import logging, sys

import modbus_tk.defines as d
from modbus_tk import hooks, modbus_tcp

from asked import record

logging.disable(logging.CRITICAL)
count = 0


def main():
    server = modbus_tcp.TcpServer(port=int(sys.argv[1]), address="127.0.0.1")
    slave = server.add_slave(1)
    slave.add_block("h", d.HOLDING_REGISTERS, 0, 10)

    def count_up(args):
        global count
        record(args[1][0])
        count = (count + 1) % 65536
        slave.set_values("h", 1, [count])

    hooks.install_hook("modbus.Slave.handle_request", count_up)
    server.start()
    print("ready", flush=True)
    for line in sys.stdin:
        slave.set_values("h", 0, [int(line)])
        print(line.strip(), flush=True)


if __name__ == "__main__":
    main()
