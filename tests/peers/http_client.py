"""Posts readings of one tag, five in a body, and repeats a body until it is answered with 204.

http_client.py PORT TAG COUNT LOG: values 0 to COUNT - 1, a second apart; a value that was confirmed becomes a line of LOG.
"""

import http.client
import json
import sys
import time

AT_ONCE = 5


def confirmed(port, body):
    """Was the body answered with 204? Whatever else happens, it is sent again."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request("POST", "/readings", body)
        return connection.getresponse().status == 204
    except (OSError, http.client.HTTPException):
        time.sleep(0.02)
        return False
    finally:
        connection.close()


def main(port, tag, count, log):
    with open(log, "a", buffering=1) as confirmations:
        for first in range(0, count, AT_ONCE):
            values = range(first, min(first + AT_ONCE, count))
            lines = [json.dumps({"tag": tag, "v": v, "ts": 1772323200000 + 1000 * v}) for v in values]
            while not confirmed(port, "\n".join(lines).encode()):
                pass
            confirmations.write("".join(f"{v}\n" for v in values))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
