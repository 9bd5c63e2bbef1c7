from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys

from conftest import Rota, until


def test_the_worker_of_the_readme_runs_as_printed(rota: Rota, tmp_path: pathlib.Path) -> None:
    readme = pathlib.Path(__file__).parents[1].joinpath("README.md").read_text()
    found = re.search(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert found is not None
    script = tmp_path / "worker.py"
    script.write_text(found.group(1))
    id = rota.push("readme", "Hostname|internet|readme.nl", boefje_id="dns-records")
    with (tmp_path / "out").open("w") as out:
        environment = {**os.environ, "NATS_URL": rota.nats}
        worker = subprocess.Popen([sys.executable, str(script)], stdout=out, env=environment)
    try:
        rota.becomes(id, "completed")
        until(lambda: "dns-records on Hostname|internet|readme.nl" in (tmp_path / "out").read_text())
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
