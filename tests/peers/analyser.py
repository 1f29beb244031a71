"""Analysers with a text protocol, written after their manuals. `analyser.py ak | clink | nmea DEVICE [LOG]`.

ak      Servomex SERVOPRO NOx, CAI 700: STX, a byte that means nothing, four letters, blank, K0, ETX. AKON gives 60.25, 14.9 and a counter;
        every 5th answer is BS (busy), every 7th has status 3, every 9th belongs to another command.
clink   Thermo 42i, instrument id 42, termination format 01 (<NL>sum xxxx<CR>). no, nox and lrec; every 5th sum is wrong,
        every 7th answer says that it cannot, every 9th record has an alarm among its flags.
nmea    A weather station: WIMDA and WIXDR four times a second; some with a wrong check sum, joined with the next, or cut.

What is asked for goes to LOG, a line each. Counters tell values apart; 999 stands in everything that must not be taken.
"""
import sys, time
import serial

kind, device = sys.argv[1:3]
log = open(sys.argv[3], "a", buffering=1) if len(sys.argv) > 3 else None
line = serial.Serial(device, 9600, timeout=0.2)
print("ready", flush=True)


def frames(end):
    wait = b""
    while True:
        byte = line.read(1)
        if not byte:
            continue
        wait += byte
        if wait.endswith(end):
            if log:
                print(wait[:-len(end)].decode("latin-1"), file=log)
            yield wait[:-len(end)]
            wait = b""


def ak():
    count = 0
    for frame in frames(b"\x03"):
        command = frame[frame.rindex(b"\x02") + 2:]
        code = command[:4]
        if code == b"AKON" and command[4:] == b" K0":
            count += 1
            body = b"AKON 0 60.25 14.9 %d" % count
            if count % 5 == 0:
                body = b"AKON 0 BS"
            elif count % 7 == 0:
                body = b"AKON 3 60.25 14.9 %d" % count
            elif count % 9 == 0:
                body = b"ATEM 0 999 999 999"
        elif code == b"ASTF":
            body = b"ASTF 0 0"
        else:
            body = b"???? 0"
        line.write(b"\x02 " + body + b"\x03")


def clink():
    count = 0
    for frame in frames(b"\r"):
        if not frame or frame[0] != 128 + 42:
            continue
        command = frame[1:].decode("latin-1")
        count += 1
        value = {"no": "no 51.75 ppb", "nox": "nox 7349E-002 ppb",
                 "lrec": "lrec\n10:15 05-12-09 flags %s no 5175E-002 nox 7349E-002 pres 7301E-001 pmt 7349E+000" % ("8c060010" if count % 9 == 0 else "8c060000")}.get(command)
        text = value if value else command + " bad cmd"
        if count % 7 == 0:
            text = command + " can't, wrong settings"
        check = sum(text.encode()) & 0xFFFF
        if count % 5 == 0:
            text = text.replace("7349", "9990").replace("5175", "9990")
        line.write(text.encode() + b"\nsum %04x\r" % check)


def nmea():
    def sentence(text):
        check = 0
        for byte in text.encode():
            check ^= byte
        return ("$%s*%02X\r\n" % (text, check)).encode()

    count = 0
    line.write(b"999,B,999,C*00\r\n")
    while True:
        count += 1
        mda = sentence("WIMDA,30.01,I,1.0163,B,%d.5,C,,,,,,,,,,,,,," % (count % 100))
        if count % 5 == 0:
            mda = mda.replace(b"1.0163", b"999")
        elif count % 7 == 0:
            mda = mda[:20] + sentence("WIMDA,30.01,I,999,B,999,C")[3:]
        elif count % 9 == 0:
            mda = mda[:17]
        line.write(mda)
        line.write(sentence("WIXDR,C,19.25,C,TEMP,H,81.0,P,RH"))
        line.write(sentence("GPGLL,5057.970,N,00146.110,E,142451,A"))
        time.sleep(0.1)


{"ak": ak, "clink": clink, "nmea": nmea}[kind]()
