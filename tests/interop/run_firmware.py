"""What tools/run-firmware shows: a broker, the firmware in QEMU with a time server on its wire and
a thermometer on its bus, `dunlin watch` on its topics.
"""
import subprocess
import sys

from support import firmware
from support.agent import program
from support.broker import Broker
from support.firmware import Firmware
from support.neighbour import ADDRESS, Neighbour


def main():
    seconds = int(sys.argv[1])
    if firmware.missing():
        sys.exit(f"run-firmware: {firmware.missing()}")
    with Broker() as broker, Neighbour() as clock, \
            Firmware(broker.start().port, interval_ms=1000, thermometer=True, neighbour=clock,
                     ntp=ADDRESS) as device:
        device.start()
        device.wait_log("connected")
        device.set_temperature(21500)
        print(device.log(), end="", flush=True)
        watch = [program("dunlin"), "watch", "-h", "127.0.0.1", "-p", str(broker.port),
                 "-W", str(seconds)]
        try:
            subprocess.run(watch, check=False)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
