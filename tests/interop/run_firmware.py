"""What tools/run-firmware shows: a broker, the firmware in QEMU, `dunlin watch` on its topics."""
import subprocess
import sys

from support import firmware
from support.agent import program
from support.broker import Broker
from support.firmware import Firmware


def main():
    seconds = int(sys.argv[1])
    if firmware.missing():
        sys.exit(f"run-firmware: {firmware.missing()}")
    with Broker() as broker, Firmware(broker.start().port, interval_ms=1000,
                                             thermometer=True) as device:
        device.start()
        device.wait_log("connected")
        print(device.log(), end="", flush=True)
        watch = [program("dunlin"), "watch", "-h", "127.0.0.1", "-p", str(broker.port),
                 "-W", str(seconds)]
        try:
            subprocess.run(watch, check=False)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
