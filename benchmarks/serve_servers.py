"""The servers of the benchmark of serving: ours, the bare web server, peers; how each is started and watched."""

import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = HERE / "peers"
TICKS = os.sysconf("SC_CLK_TCK")
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
LISTEN = "--host 127.0.0.1 --port {port} --workers 1 --backlog 1024 "
WSGI = "{python} -m granian --interface wsgi " + LISTEN + "--log-level error --no-ws --blocking-threads 1 "
UVICORN = (
    "{python} -m uvicorn --host 127.0.0.1 --port {port} --workers 1 --loop uvloop --http httptools "
    "--no-access-log --log-level warning with_fastapi:app"
)
# What `manage.py serve` starts.
OURS = "{python} -m mlsite.web " + LISTEN


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a server is started and asked; `peer` is the environment it needs, ours where it is empty."""

    command: str
    path: str
    peer: str = ""
    form: str = "data"
    engine: str = ""
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """Return what its bodies are."""
        return JSON if self.form != "arrow" else ARROW


KINDS = {
    "constant": Kind(command=WSGI + "constant:application", path="/"),
    "ours": Kind(command=OURS + "mlsite.wsgi:application", path="/api/v1/predict", engine="onnx"),
    "ours-view": Kind(command=OURS + "our_view:application", path="/api/v1/predict", engine="onnx"),
    "ours-arrow": Kind(command=OURS + "mlsite.wsgi:application", path="/api/v1/predict", engine="onnx", form="arrow"),
    "ours-sklearn": Kind(command=OURS + "mlsite.wsgi:application", path="/api/v1/predict", engine="sklearn"),
    "fastapi-min": Kind(command=UVICORN, path="/min", peer="fastapi"),
    "fastapi-ort": Kind(command=UVICORN, path="/ort", peer="fastapi"),
    "mlflow": Kind(
        command="{bin}/mlflow models serve -m {models}/mlflow-{model} --env-manager local -h 127.0.0.1 -p {port} -w 1",
        path="/invocations",
        peer="mlflow",
        form="inputs",
        environ={"MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
    "bentoml": Kind(
        command="{bin}/bentoml serve with_bentoml:Service -p {port} --host 127.0.0.1", path="/predict", peer="bentoml"
    ),
    "bentoml-batch": Kind(
        command="{bin}/bentoml serve with_bentoml:Service -p {port} --host 127.0.0.1",
        path="/predict",
        peer="bentoml",
        environ={"BENCH_BATCH": "1"},
    ),
}


class Server:
    """A started server."""

    def __init__(self, name: str, model: str, peers: Path, folder: Path) -> None:
        self.name, self.kind, self.port, self.token = name, KINDS[name], free_port(), ""
        folder.mkdir(parents=True)
        python = peers / self.kind.peer / "bin" / "python" if self.kind.peer else Path(sys.executable)
        models = peers / (self.kind.peer or "ours") / "models"
        if self.kind.engine and not models.exists():
            subprocess.run([sys.executable, str(PEERS / "models.py"), str(models)], check=True)
        environ = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "BENCH_MODEL": model}
        environ |= {
            "BENCH_MODELS": str(models),
            "PYTHONPATH": str(PEERS),
            "DO_NOT_TRACK": "1",
            "BENTOML_DO_NOT_TRACK": "1",
        }
        environ |= self.kind.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
        if self.kind.engine:
            environ |= self._site(environ, model, models, folder)
        command = self.kind.command.format(python=python, bin=python.parent, port=self.port, models=models, model=model)
        with (folder / "server.txt").open("wb") as said:
            self.process = subprocess.Popen(
                shlex.split(command), cwd=PEERS, env=environ, stdout=said, stderr=said, start_new_session=True
            )

    def _site(self, environ: dict[str, str], model: str, models: Path, folder: Path) -> dict[str, str]:
        """Make a run-time folder with the model in production; return what our server needs in its environment."""
        metrics = folder / "prometheus"
        metrics.mkdir()
        # Authentication, the limit, the metrics and the log are on; the cache of answers, which peers have not, is off.
        ours = {
            "DJANGO_SETTINGS_MODULE": "mlsite.settings",
            "VAR_DIR": str(folder / "var"),
            "PYTHONPATH": f"{ROOT}:{PEERS}",
        }
        ours |= {"RATE_LIMIT": "100000000/minute", "MODEL__CACHE_SIZE": "0", "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
        ours |= {"PROCESS_ROLE": "web"}
        command = [sys.executable, str(PEERS / "our_site.py"), model, self.kind.engine, str(models)]
        done = subprocess.run(command, env=environ | ours, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the site of {self.name} was not made: {done.stderr[-2000:]}")
        self.token = done.stdout.split()[-1]
        return ours

    def ask(self, body: bytes) -> tuple[int, bytes]:
        """Send one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": self.kind.content_type, "Authorization": f"Bearer {self.token}"}
        try:
            connection.request("POST", self.kind.path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def wait(self, body: bytes, seconds: float = 120) -> bytes:
        """Return the first answer."""
        deadline, why = time.monotonic() + seconds, "no answer"
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                status, content = self.ask(body)
                if status == 200:
                    return content
                why = f"{status} {content[:300]!r}"
            except OSError as error:
                why = str(error)
            time.sleep(0.3)
        raise SystemExit(f"{self.name} does not answer: {why}")

    def processes(self) -> list[int]:
        """Return its processes: those of its session, and what they have started in others."""
        parents, found = dict[int, int](), {self.process.pid}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent, _, session = path.read_text().rsplit(")", 1)[1].split()[1:4]
            except OSError:
                continue  # it has ended meanwhile
            parents[int(path.parent.name)] = int(parent)
            if int(session) == self.process.pid:
                found.add(int(path.parent.name))
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found & parents.keys())

    def cpu_seconds(self) -> float:
        """Return the processor time its living processes have used."""
        return sum(_ticks(pid) for pid in self.processes()) / TICKS

    def memory_mib(self) -> float:
        """Return the proportional memory of its largest process: the worker."""
        return max(_pss_kib(pid) for pid in self.processes()) / 1024

    def settle(self) -> None:
        """Wait until it has worked off what the load left behind, its log too."""
        for _ in range(100):
            before = self.cpu_seconds()
            time.sleep(0.25)
            if self.cpu_seconds() - before <= 0.03:
                return

    def stop(self) -> None:
        """End all its processes."""
        for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(seconds)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue


def _ticks(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(stat[11]) + int(stat[12])


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
