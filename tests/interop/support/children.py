"""Child processes that outlive nobody: a session of their own, so that Ctrl-C reaches only the
test, and killed by the kernel when the test dies, however it dies."""
import ctypes
import signal
import subprocess

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(arguments, **options):
    return subprocess.Popen(arguments, start_new_session=True, preexec_fn=_die_with_parent,
                            **options)
