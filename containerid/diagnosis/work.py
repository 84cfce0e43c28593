"""What went wrong in the training itself."""

from containerid.diagnosis.entry import Class

TRAINING = (
    Class(
        "weights-download",
        "the pretrained weights could not be downloaded",
        "{train} --set model.pretrained=false, or put the file into the project",
        (
            r"the weights \S+ (cannot be downloaded|are not (here|there))",
            r"Download failure for https?://\S+\.pt",
            r"^FileNotFoundError: .*No such file or directory: '[\w./-]+\.pt'",
        ),
    ),
    Class(
        "weights-broken",
        "a weights file is broken or is no weights file",
        "delete it where it was cached, fetch it anew, then {train}",
        (
            r"PytorchStreamReader failed",
            r"UnpicklingError: (invalid load key|pickle data was truncated|Weights only load failed)",
            r"Checkpoint .* is corrupted",
        ),
    ),
    Class(
        "shapes",
        "shapes do not fit: weights of another architecture, or another number of classes",
        "{train} --set model.pretrained=true, or the architecture that the weights were trained with",
        (
            r"size mismatch for \S+: copying a param with shape",
            r"Error\(s\) in loading state_dict for",
            r"shapes cannot be multiplied \(\d+x\d+ and",
            r"^RuntimeError: (Sizes of tensors must match|The size of tensor a \(\d+\) must match|Given groups=\d)",
        ),
    ),
    Class(
        "nan",
        "the loss became NaN or infinite: the training diverged",
        "{train} --set training.learning_rate=0.001, ten times smaller than it was, or --set training.amp=false",
        (
            r"Training failed: NaN persisted",
            r"Loss NaN/Inf detected but no valid",
            r"corrupted with NaN/Inf",
            r"^\w+Error: .*\b(loss|gradients?)\b.*\b(nan|NaN|non-finite|inf)\b",
            r"look for NaN losses in the log",
        ),
    ),
    Class(
        "argument",
        "the trainer does not know an argument, or its value is wrong",
        "cid params shows what is sent; mend params.yaml, then {train}",
        (
            r"'\S+' is not a valid YOLO argument",
            r"^(TypeError|ValueError): '\S+=.*' is (of invalid type|an invalid value)",
            r"error: (unrecognized arguments|the following arguments are required|argument \S+: )",
        ),
    ),
    Class(
        "gates",
        "it trained, and a bar that you set was not reached",
        "cid fetch {run}, and look at the plots; see part 4 of docs/troubleshooting.md",
        (r"gates not met: ",),
    ),
    Class(
        "syntax",
        "the code is no valid Python",
        "mend the line that is named; cid train --local --quick tells at once",
        (r"^(SyntaxError|IndentationError|TabError): ", r"^(SyntaxError|IndentationError|TabError)$"),
    ),
    Class(
        "read-only",
        "something was written to a place that may only be read; datasets under /kaggle/input are such",
        "write to CID_OUT or to a temporary folder; then {train}",
        (
            r"^(\w+\.)*(OSError|PermissionError): \[Errno (30|13|1)\]",
            r"\[Errno 30\] Read-only file system: ",
        ),
    ),
    Class(
        "wandb",
        "Weights & Biases took no key",
        "{train} --set wandb.mode=offline; afterwards: wandb sync runs/{run}/wandb/offline-run-*",
        (
            r"wandb\.errors(\.errors)?\.(UsageError|AuthenticationError|CommError)",
            r"No API key configured\. Use `wandb login`",
            r"^wandb: ERROR (Invalid API key|API key must|Error while calling W&B API: .*(permission|401|403))",
            r"api_key not configured \(no-tty\)",
        ),
    ),
    Class(
        "versions",
        "the two ends run different versions of containerid",
        "pip install -U containerid here, then {train}",
        (
            r"this kernel reads spec version ",
            r"the spec is version \d+, and this package reads",
            r"keys that this version does not know",
            r"the containerid of this run cannot be imported",
        ),
    ),
)
