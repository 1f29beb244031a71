"""modbus-tk's slave. `tk_peer.py tcp PORT | rtu DEVICE`; unit ids 1 and 2, register n of both register areas holds n up to 199, coil and
discrete input n are set where n is odd. Its own idea of the protocol, beside pymodbus's."""
import logging, sys, time

import modbus_tk.defines as d
from modbus_tk import hooks, modbus_rtu, modbus_tcp

from asked import record

logging.disable(logging.CRITICAL)


def main():
    mode, where = sys.argv[1:3]
    if mode == "tcp":
        server = modbus_tcp.TcpServer(port=int(where), address="127.0.0.1")
    else:
        import serial
        server = modbus_rtu.RtuServer(serial.Serial(where, 9600))
    for unit in (1, 2):
        slave = server.add_slave(unit)
        for name, kind, values in (("c", d.COILS, [n % 2 for n in range(200)]), ("d", d.DISCRETE_INPUTS, [n % 2 for n in range(200)]),
                                   ("h", d.HOLDING_REGISTERS, range(200)), ("i", d.ANALOG_INPUTS, range(200))):
            slave.add_block(name, kind, 0, 200)
            slave.set_values(name, 0, list(values))
    hooks.install_hook("modbus.Slave.handle_request", lambda args: record(args[1][0]))
    server.start()
    print("ready", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
