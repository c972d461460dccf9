from maintops.workflow.sameness import Machines


def test_one_machine_under_two_names_is_noted_once_per_further_name():
    machines = Machines()
    name, notes = machines.seen("web1", "4d1f")
    assert notes == ()
    assert machines.seen("web2", "other")[1] == ()
    again, notes = machines.seen("web3", "4d1f")
    assert again == name
    assert notes == ("web3 and web1 are one machine, or copies with the same machine id",)
    assert machines.seen("web1", "4d1f")[1] == ()


def test_a_machine_without_an_id_is_like_no_other():
    machines = Machines()
    assert machines.seen("web1", "") == ("", ())
    assert machines.seen("web2", "") == ("", ())


def test_the_machine_id_itself_is_not_shown():
    assert "4d1f" not in Machines().seen("web1", "4d1f")[0]
