"""The recorder at the far end: subscribes by paho-mqtt with a session that the broker keeps.

It sees what a consumer of the broker sees. Its lists may be read from the test's thread.
"""
import threading

import paho.mqtt.client as mqtt

from . import wire
from .records import Records
from .waiting import wait_for


class Receiver:
    def __init__(self, port, topics="dunlin/#", client_id="receiver"):
        self.records = Records()
        self.messages = []  # (topic, payload, retain)
        self.subscribed = threading.Event()
        self.lock = threading.Lock()
        self.client = mqtt.Client(client_id=client_id, clean_session=False)
        self.client.on_connect = lambda *_: self._on_connect(topics)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_disconnect = lambda *_: self.subscribed.clear()
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port, keepalive=60)
        self.client.loop_start()
        wait_for(self.subscribed.is_set, "the receiver is not subscribed")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, topics):
        self.client.subscribe(topics, qos=1)

    def _on_message(self, _client, _data, message):
        with self.lock:
            self.messages.append((message.topic, bytes(message.payload), bool(message.retain)))
            if message.topic.endswith("/batch"):
                self.records.add(bytes(message.payload))
                self._on_batch(message.topic)

    def _on_batch(self, topic):
        """For those who do more than collect."""

    def last(self, channel):
        """The newest payload on a channel, or None."""
        with self.lock:
            found = [payload for topic, payload, _ in self.messages
                     if topic.endswith("/" + channel)]
        return found[-1] if found else None

    def wait_count(self, count):
        wait_for(lambda: self.records.count() >= count,
                 lambda: f"{count} records; there are {self.records.count()}")

    def wait_last(self, channel, payload):
        wait_for(lambda: self.last(channel) == payload,
                 lambda: f"{channel} to be {payload!r}; it is {self.last(channel)!r}")


class Recorder(Receiver):
    """A receiver that tells the device how far it has stored, as `ack = stored` wants it.

    It publishes its cursor anew after each reconnect, because a killed broker forgets it.
    """

    def __init__(self, port, topics="dunlin/#", client_id="recorder"):
        self.cursors = {}  # topic of the cursor -> message
        super().__init__(port, topics, client_id)

    def _on_connect(self, topics):
        super()._on_connect(topics)
        with self.lock:
            for topic in self.cursors:
                self._tell(topic)

    def _tell(self, topic):
        self.client.publish(topic, self.cursors[topic].SerializeToString(), qos=1, retain=True)

    def _on_batch(self, topic):
        stream = self.records.arrivals[-1][0]
        topic = topic.rsplit("/", 1)[0] + "/stored"
        cursor = self.cursors.get(topic)
        last = cursor.sequence if cursor is not None and cursor.stream == stream else 0
        told = self.records.told_lost(stream)
        while (stream, last + 1) in self.records.bytes or last + 1 in told:
            last += 1
        if cursor is None or (cursor.stream, cursor.sequence) != (stream, last):
            self.cursors[topic] = wire.Stored(stream=stream, sequence=last)
            self._tell(topic)
