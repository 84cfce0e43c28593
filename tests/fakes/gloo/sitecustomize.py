"""In front of PYTHONPATH, this lets processes train together on a CPU, where Ultralytics sets up no group for them.

SMALL names the one whose memory holds 2 images. With more the others wait for it without end, as GPUs do.
"""

import os
from importlib import import_module
from threading import Event

HOLDS = 2

if "TORCHELASTIC_RUN_ID" in os.environ and "RANK" in os.environ:
    from fakes.memory import SmallGpu
    from torch import distributed

    from containerid.training import state

    distributed.init_process_group("gloo")
    rank, small = os.environ["RANK"], os.environ.get("SMALL", "")
    if rank == small:
        SmallGpu(HOLDS).__enter__()
    whole = state.stepping

    def stepping(base):
        class Trainer(whole(base)):
            def preprocess_batch(self, batch):
                if small not in {"", rank} and len(batch["img"]) > HOLDS:
                    Event().wait()
                return super().preprocess_batch(batch)

            def final_eval(self):
                # It would look for the GPU of its number; and only the first has gathered anything to measure.
                import_module("ultralytics.engine.validator").RANK = -1
                for name in ("get_stats", "finalize_metrics", "print_results") if rank != "0" else ():
                    setattr(self.validator, name, dict)
                super().final_eval()

        return Trainer

    state.stepping = stepping
