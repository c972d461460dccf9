import subprocess
import sys
from dataclasses import replace

from maintops.files.owners import dead, this_process


def test_this_process_is_alive():
    assert not dead(this_process())


def test_another_start_time_under_the_same_pid_is_another_process():
    me = this_process()
    assert dead(replace(me, ticks=me.ticks + 1))


def test_a_process_of_another_boot_is_dead_and_of_another_machine_not_provable():
    me = this_process()
    assert dead(replace(me, boot="another"))
    assert not dead(replace(me, machine="another", boot="another", pid=1))


def test_a_process_that_ended_is_dead_even_as_a_zombie():
    program = "from maintops.files.owners import this_process as t; o = t(); print(o.pid, o.ticks, flush=True)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid, ticks = map(int, process.stdout.readline().split())
    process.stdout.read()
    other = replace(this_process(), pid=pid, ticks=ticks)
    # not yet waited for: it is a zombie once it has exited
    while process.poll() is None and not dead(other):
        pass
    assert dead(other)
    process.wait()
    process.stdout.close()
    assert dead(other)


def test_a_process_that_is_there_and_may_not_be_looked_at_counts_as_alive(monkeypatch):
    from maintops.files import owners

    me = this_process()
    monkeypatch.setattr(owners, "_ticks", lambda pid: None)
    assert not dead(me)
    assert dead(replace(me, pid=2**22 + 1))
