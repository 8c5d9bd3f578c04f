"""Messages a second through a long line to a real Mosquitto, QoS 1, payloads of 100 bytes.

A client with W messages in flight cannot pass W / round trip, nor what the line carries: that is
the best rate that Paho and ours had without delay in this run, ours also with a window of 1,024.
The bound is the lesser of the two. `tests/bench/delay_proxy.c` is the line. The figures with no
delay say how fast this machine is; the others depend on it where it has too much else to do.
"""
import argparse
import os
import statistics

from lines import Line, mosquitto_pub, program, publish
from measure import table
from support.broker import Broker

ROUND_TRIPS_MS = (20, 100, 500)
WIDE = 1024  # a window that no line here fills
CLIENTS = ("dunlin", "paho", "mosquitto_pub -l", "stop-and-wait")


def rate(client, port, count, window):
    if client == "mosquitto_pub -l":
        return count / mosquitto_pub(port, count, window)
    return count / publish("paho" if client == "paho" else "dunlin", port, count, window)[0]


def rates(clients, broker, round_trip_ms, options):
    """Messages a second of each client on this line: the median of runs that take turns, so that
    what else the machine does meets all of them."""
    runs = {client: [] for client in clients}
    with Line(broker.port, round_trip_ms, options.bandwidth) as line:
        for _ in range(options.repeat if round_trip_ms else 2 * options.repeat + 1):
            for client in clients:
                window = {"stop-and-wait": 1, "wide": WIDE}.get(client, options.window)
                count = options.messages
                if round_trip_ms:
                    rounds = max(4, int(options.seconds * 1000 / round_trip_ms))
                    count = min(count, rounds * window)
                elif client == "mosquitto_pub -l":
                    count *= 3  # it ends up to 0.1 s late, which must not count
                elif window == 1:
                    count = max(1, count // 4)
                runs[client].append(rate(client, line.port, count, window))
    return {client: statistics.median(found) for client, found in runs.items()}


def measure(options):
    clients = [client for client in CLIENTS if client != "paho" or os.path.exists(program("paho"))]
    if "paho" not in clients:
        print("Paho is missing (libpaho-mqtt-dev): its column is left out")
    with Broker("set_tcp_nodelay true\n") as broker:
        broker.start()
        found = rates([*clients, "wide"], broker, 0, options)
        carries = max(speed for client, speed in found.items() if client != "mosquitto_pub -l")
        rows = [(0, carries, found)]
        for round_trip_ms in options.round_trips:
            bound = min(carries, options.window * 1000 / round_trip_ms)
            rows.append((round_trip_ms, bound, rates(clients, broker, round_trip_ms, options)))
    return clients, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--window", type=int, default=64, help="messages in flight [64]")
    parser.add_argument("--messages", type=int, default=20000, help="at most, of one run [20000]")
    parser.add_argument("--seconds", type=float, default=5, help="aimed at, with a delay [5]")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the median counts [3]")
    parser.add_argument("--bandwidth", type=int, default=0, help="bytes a second, 0: no limit [0]")
    parser.add_argument("--round-trips", type=float, nargs="+", default=ROUND_TRIPS_MS,
                        metavar="MS", help="beside 0 [20 100 500]")
    options = parser.parse_args()
    if min(options.round_trips) <= 0:
        parser.error(f"--round-trips {min(options.round_trips):g}: must be above 0, which is run "
                     "in any case")
    clients, rows = measure(options)
    table(f"Messages a second, window {options.window}",
          ["round trip, ms", "bound", *clients],
          [[f"{ms:g}", bound, *(found[client] for client in clients)]
           for ms, bound, found in rows])
    table("dunlin's ratio to the bound (aim: 0.95), and to each rival",
          ["round trip, ms", "bound", *clients[1:]],
          [[f"{ms:g}", found["dunlin"] / bound,
            *(found["dunlin"] / found[client] for client in clients[1:])]
           for ms, bound, found in rows])
    print("RAM a message in flight: 4 bytes in the session, 4 in the outbox, its payload in the\n"
          "log (asserted when tests/bench/publish_dunlin.c is compiled).\n")
    return 0
