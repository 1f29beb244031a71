"""A Sparkplug B edge node G/edge with the device gt1, by pysparkplug: sparkplug_edge.py PORT, commands on stdin.

connect        birth certificates; the device's metrics have aliases
data V         NOx by its alias alone
named V        CO by its name
history V MS   NOx as measured at MS, by its alias
null           NOx without a value
skip           one number of the sequence is used up
die            ends without DISCONNECT: the broker publishes the death certificate
"""
import os
import sys
import time

from pysparkplug import DataType, DData, Device, EdgeNode, Message, MessageType, Metric, QoS, Topic
from pysparkplug._time import get_current_timestamp

port = int(sys.argv[1])
NOX, CO = 5, 6


def metric(value, name=None, alias=None, **more):
    more.setdefault("timestamp", get_current_timestamp())
    return Metric(name=name, datatype=DataType.DOUBLE, value=value, alias=alias, **more)


node = EdgeNode("G", "edge", [])
device = Device("gt1", [metric(1.0, "Stack/NOx", NOX), metric(2.0, "Stack/CO", CO)])


def send(m):
    topic = Topic(message_type=MessageType.DDATA, group_id="G", edge_node_id="edge", device_id="gt1")
    payload = DData(get_current_timestamp(), seq=node._seq, metrics=(m,))
    node._client.publish(Message(topic=topic, payload=payload, qos=QoS.AT_MOST_ONCE, retain=False), include_dtypes=False)


for line in sys.stdin:
    word, *values = line.split()
    if word == "connect":
        # registered first: its birth follows the node's in the client's own thread, and never overtakes it
        node.register(device)
        node.connect("127.0.0.1", port=port)
        while not node._connected:
            time.sleep(0.01)
    elif word == "data":
        send(metric(float(values[0]), alias=NOX))
    elif word == "named":
        send(metric(float(values[0]), name="Stack/CO"))
    elif word == "history":
        send(metric(float(values[0]), alias=NOX, is_historical=True, timestamp=int(values[1])))
    elif word == "null":
        send(metric(None, alias=NOX, is_null=True))
    elif word == "skip":
        node._seq
    elif word == "die":
        os._exit(0)
    print(word, flush=True)
