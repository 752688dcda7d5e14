"""The lease of control, whatever happens in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.link.control import ControlLease
from engine.link.messages import Role

steps = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["owner", "control", "view", "take", "leave"])),
    max_size=40,
)


@given(steps)
def test_one_steers_at_most_and_always_one_while_there_is_an_owner(happened):
    lease: ControlLease[int] = ControlLease()
    here: set[int] = set()
    for peer, what in happened:
        held = lease.holder
        match what:
            case "take" if peer in here:
                lease.take(peer)
                assert lease.holder == peer
            case "leave":
                lease.leave(peer)
                here.discard(peer)
            case "owner" | "control" | "view" if peer not in here:
                here.add(peer)
                owner = lease.owner
                lease.join(peer, Role(what))
                assert lease.owner == (peer if what == "owner" and owner is None else owner)
                assert held is None or what == "owner" or lease.holder == held, "a newcomer took control"
                assert lease.holder is not None or what == "view", "control was free and was not given"
        steering = [one for one in here if lease.role(one) is not Role.VIEW]
        assert steering == ([lease.holder] if lease.holder is not None else [])
        assert lease.owner is None or lease.holder is not None
        assert {lease.owner, lease.holder} - {None} <= here
        owners = [one for one in here if lease.role(one) is Role.OWNER]
        assert owners in ([], [lease.owner])
