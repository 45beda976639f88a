import rillnet.model.registry as _r
from rillnet.spec import BlockSpec
from rillnet.model.net import Net
def __getattr__(name):
    if name in _r.block_types():
        def make(**arguments): return BlockSpec(type=name, arguments=arguments)
        return make
    raise AttributeError(name)
