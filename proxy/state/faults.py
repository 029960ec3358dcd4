"""What can be wrong with the state file, and with the state that hosts share."""


class StateBusy(Exception):
    """Another process kept the state file locked for longer than we wait (2 s); nothing was changed."""


class StateAway(StateBusy):
    """The state that several hosts share cannot be reached or followed now; the text says why.

    A change that fails so has not been made, unless the answer alone was lost: then every host makes it soon.
    """


class StateForeign(Exception):
    """This host's state file and the shared state both have objects of their own; a person must say which is kept."""
