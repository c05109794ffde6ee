# SPDX-License-Identifier: Apache-2.0
"""Starts and talks to what is timed: `linnet bench`, and worker.py for the other engines."""
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REST = 0.1  # seconds in which the last engine's idle threads stop spinning
WARM = 0.05  # seconds of a block that does not count


def find_python(module):
    """A Python that has the module: this one, the PATH's, the distribution's."""
    for python in (os.environ.get('PEERS_PYTHON'), sys.executable, 'python3', '/usr/bin/python3'):
        if python and subprocess.run([python, '-c', 'import ' + module], capture_output=True).returncode == 0:
            return python
    return None


def torch_environment(threads):
    """PyTorch's best settings: with its own OpenBLAS threads and unbound OpenMP threads it is slower."""
    return dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS='1', OMP_PROC_BIND='true',
                OPENBLAS_CORETYPE=os.environ.get('OPENBLAS_CORETYPE', 'SKYLAKEX'))


class Worker:
    """An engine with a network loaded, timed on demand."""

    def __init__(self, name, python, mode, network, threads, extra=None):
        self.name = name
        engine = name.split('-')[0]
        command = [python, os.path.join(HERE, 'worker.py'), engine, mode, str(network), str(threads)]
        self.process = subprocess.Popen(command + ([extra] if extra else []), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL,
                                        env=torch_environment(threads) if engine == 'torch' else None)

    def time(self, seconds, batch):
        try:
            self.process.stdin.write(json.dumps({'seconds': seconds, 'batch': batch}) + '\n')
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            return {'error': 'failed'}

    def close(self):
        try:
            self.process.stdin.close()
            return json.loads(self.process.stdout.readline() or '{}')
        except (OSError, ValueError):
            return {}
        finally:
            self.process.wait()


class Linnet:
    """`linnet bench` with these arguments; a process for each measurement."""
    name = 'linnet'

    def __init__(self, program, arguments, threads, backend='cpu', environment=None):
        self.command = [program, 'bench'] + arguments + ['--threads', str(threads), '--backend', backend, '--json']
        self.environment = dict(os.environ, **(environment or {}))
        self.peak = 0

    def time(self, seconds, batch):
        """The first answer, or {'error': why there is none}."""
        return self.answers(seconds, batch)[0]

    def answers(self, seconds, batch=None):
        command = self.command + ['--seconds', str(seconds)] + (['--batch', str(batch)] if batch else [])
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment)
        output, errors = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.peak = max(self.peak, usage.ru_maxrss)
        try:
            return [json.loads(line) for line in output.splitlines()] or [{'error': (errors.splitlines() or [''])[0]}]
        except ValueError:
            return [{'error': (errors.splitlines() or ['no answer'])[0]}]

    def close(self):
        return {'peak_kib': self.peak, 'idle_kib': 0}


def alternate(engines, rounds, seconds, batch):
    """(engine's name, round, answer) for every block. All have loaded their networks before the first one is timed."""
    for engine in engines:
        engine.time(WARM, batch)
    for number in range(rounds):
        for engine in engines if number % 2 == 0 else reversed(engines):
            time.sleep(REST)
            yield engine.name, number, engine.time(seconds, batch)
