"""C source of a `Program`."""


def c_source(*a):
    raise NotImplementedError
