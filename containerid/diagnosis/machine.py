"""What the machine did not give: a GPU that computes, memory, disk."""

from containerid.diagnosis.entry import Class

HARDWARE = (
    Class(
        "verification",
        "Kaggle gives this account no GPU or no internet: its phone number is not verified",
        "verify it at https://www.kaggle.com/settings, then: {train}",
        (r"enableInternet' was denied", r"[Pp]hone.{0,20}verif|verif.{0,20}\bphone"),
    ),
    Class(
        "wrong-gpu",
        "PyTorch has no code for this GPU: it is too old a card for the image, such as the P100",
        "{train} --accelerator NvidiaTeslaT4",
        (
            r"no kernel image is available for execution on the device",
            r"cudaErrorNoKernelImageForDevice",
            r"CUDA capability sm_\d+ is not compatible with the current PyTorch",
            r"^PyTorch \S+ has no code for the GPU",
        ),
    ),
    Class(
        "gpu-memory",
        "the GPU's memory is too small for this batch",
        "{train} --set training.batch_size=8, half of what it was, or a lower training.imgsz",
        (
            r"OutOfMemoryError: CUDA out of memory",
            r"RuntimeError: CUDA out of memory\. Tried to allocate",
            r"CUDA error: out of memory",
            r"CUBLAS_STATUS_ALLOC_FAILED",
            r"the GPU's memory is too small for it",
        ),
    ),
    Class(
        "label-index",
        "a class number or an index is out of range on the GPU: labels and `names` do not fit together",
        "cid data check finds labels that data.yaml has no class for; mend them, then {train}",
        (r"device-side assert triggered", r"Assertion `.*(n_classes|index out of bounds|idx).*` failed"),
    ),
    Class(
        "cuda",
        "CUDA itself failed: a broken driver or card, which is the machine's fault and not yours",
        "{train} again: another machine is likely",
        (
            r"CUDA error: (?!out of memory)(?!no kernel image)(?!device-side)\w",
            r"CUDA driver version is insufficient",
            r"The NVIDIA driver on your system is too old",
            r"cuDNN error: CUDNN_STATUS_\w+",
            r"NCCL (error|Error)|ncclSystemError|ncclUnhandledCudaError",
            r"the GPU .* (is there and does not compute|multiplies wrongly)",
        ),
    ),
    Class(
        "no-gpu",
        "there is no GPU where one was asked for",
        "cid quota tells the hours left; then {train} --accelerator NvidiaTeslaT4, or --device cpu",
        (
            r"Found no NVIDIA driver on your system",
            r"Torch not compiled with CUDA enabled",
            r"Invalid CUDA 'device=.*' requested",
            r"No CUDA GPUs are available",
            r"a GPU was asked for, and there is none",
        ),
    ),
    Class(
        "shared-memory",
        "the data loader ran out of shared memory",
        "{train} --set training.workers=0",
        (r"insufficient shared memory \(shm\)", r"unable to (open|write to|mmap).* shared memory object", r"Bus error"),
    ),
    Class(
        "data-loader",
        "a process that loads images was killed, most often for host memory",
        "{train} --set training.workers=2, without training.cache",
        (
            r"DataLoader worker \(pid\(?s?\)?\s*[\d, ]+\) (is killed|exited unexpectedly)",
            r"a data loading process was killed",
        ),
    ),
    Class(
        "host-memory",
        "the machine's own memory was too small",
        "{train} --set training.workers=2 --set training.cache=false, with a smaller batch",
        (
            r"tried to allocate more memory than is available",
            r"\bMemoryError\b(: Unable to allocate|$|: *$)",
            r"DefaultCPUAllocator: (can't|not enough memory)",
            r"oom-kill|Out of memory: Killed process",
            r"killed by SIGKILL\b",
            r"out of host memory",
        ),
    ),
    Class(
        "disk-full",
        "the disk is full: /kaggle/working holds 20 GB",
        "{train} --set training.save_period=-1, which keeps two checkpoints, and write scratch files to /kaggle/tmp",
        (
            r"No space left on device",
            r"more disk space than is available",
            r"Disk quota exceeded",
            r"the disk is full",
        ),
    ),
    Class(
        "crash",
        "a library crashed in native code",
        "{train} again; if it happens twice, --set training.workers=0 and --set training.amp=false",
        (r"Fatal Python error: ", r"Segmentation fault", r"killed by SIG(SEGV|ABRT|BUS|ILL|FPE)"),
    ),
)
