#!/usr/bin/python3
"""tools/examples against what they are for, where a test machine has it: the dashboard's queries on
the PostgreSQL that `dunlin record` fills. README.md there says what else was tried, by hand."""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
from support.agent import Agent  # noqa: E402
from support.broker import Broker  # noqa: E402
from support.postgres import Postgres, folder_of_programs  # noqa: E402
from support.record import Record  # noqa: E402
from support.waiting import main, wait_for  # noqa: E402

EXAMPLES = os.path.join(HERE, "..", "..", "tools", "examples")
ON = {"sensors": {"memory": "100ms", "cpu": "100ms"}}


def load(*path):
    with open(os.path.join(EXAMPLES, *path), encoding="utf-8") as stream:
        return json.load(stream)


class Grafana(unittest.TestCase):
    @unittest.skipUnless(folder_of_programs(), "PostgreSQL is not here")
    def test_the_queries_of_the_dashboard_answer(self):
        dashboard = load("grafana", "dashboard.json")
        with Broker() as broker, Postgres() as database:
            broker.start()
            with Record(broker.port, database.url), \
                    Agent(broker.port, device="pump-1", sensors=0, settings=ON) as agent:
                agent.start()
                wait_for(lambda: database.query("SELECT 1 FROM points WHERE metric = "
                                                "'system.cpu.utilization' LIMIT 1"), "points")
                agent.terminate()
            devices = database.query(dashboard["templating"]["list"][0]["query"])
            self.assertEqual(devices, [["pump-1"]])
            for panel in dashboard["panels"]:
                sql = panel["targets"][0]["rawSql"]
                rows = database.query(sql.replace("$device", "'pump-1'").replace(
                    "$__timeFilter(time)", "time > now() - interval '1 hour'"))
                with self.subTest(panel["title"]):
                    self.assertTrue(rows if "missing" not in panel["title"] else rows == [])


class NodeRed(unittest.TestCase):
    def test_the_flow_is_whole(self):
        flow = load("node-red.json")
        ids = {node["id"] for node in flow}
        for node in flow:
            for target in sum(node.get("wires", []), [node.get("broker", node["id"])]):
                if "." not in target:
                    self.assertIn(target, ids)


if __name__ == "__main__":
    main()
