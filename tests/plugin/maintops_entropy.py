"""An example of a probe and a parser of one's own: how much randomness the kernel has at hand; `name=value` lines."""

from maintops import Answer, Fact, Measured, NotMeasured, Parser, Probe, SubjectFacts, UnreadableAnswer


def question(parameters):
    return "cat /proc/sys/kernel/random/entropy_avail"


def read(answer: Answer, parameters):
    if answer.status != 0:
        return NotMeasured("this kernel does not say how much entropy it has")
    if not answer.stdout.strip().isdigit():
        raise UnreadableAnswer("the kernel's entropy is not a number")
    return Measured((SubjectFacts(None, {"bits": int(answer.stdout)}),))


PROBE = Probe(
    name="entropy",
    title="Randomness that the kernel has at hand",
    facts={"bits": Fact("int", "entropy of the kernel's pool", "bits")},
    question=question,
    read=read,
)


def read_pairs(answer: Answer):
    pairs = (line.partition("=") for line in answer.stdout.decode("utf-8", "replace").splitlines() if "=" in line)
    return Measured((SubjectFacts(None, {name.strip(): value.strip() for name, _, value in pairs}),))


KEY_VALUE = Parser("key-value", read_pairs)
