"""What the peers of the benches have in common: a JSON document a line on standard input, an answer a line."""

import json
import sys
from collections.abc import Callable

import transformers


def serve(name: str, load: Callable, answer: Callable) -> None:
    """Makes a peer by `load` where a document says "load", and has it `answer` every other one."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    peer = None
    for line in sys.stdin:
        request = json.loads(line)
        if "load" in request:
            peer = load(**request)
            result = {"name": name}
        else:
            result = answer(peer, **request)
        print(json.dumps(result), flush=True)
