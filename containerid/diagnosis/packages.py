"""What did not arrive: packages and code."""

from containerid.diagnosis.entry import Class

PACKAGES = (
    Class(
        "no-internet",
        "a package or a file had to come from the internet, and the kernel has none, or the other side is down",
        "{train} --internet; if it was on, the same command again in some minutes",
        (
            r"packages are missing and the run has no internet",
            r"^WARNING: Retrying \(Retry\(total=0.*Connection",
            r"^ERROR: Could not install packages due to an OSError: HTTPSConnectionPool",
            r"^(error|  ├─▶|  Caused by).*(dns error|failed to lookup address|Failed to fetch: `https://pypi)",
        ),
    ),
    Class(
        "dependencies",
        "pip found no set of packages that fits your requirements",
        "mend the versions in pyproject.toml, and try it with: cid train --rehearse --quick",
        (
            r"^ERROR: ResolutionImpossible",
            r"^ERROR: Cannot install .* because these package versions have conflicting dependencies",
            r"^ERROR: No matching distribution found for ",
            r"No solution found when resolving dependencies",
            r"^ERROR: Failed building wheel for ",
            r"^ERROR: Package '.*' requires a different Python",
        ),
    ),
    Class(
        "torchvision",
        "torch and torchvision do not fit together: one of them was installed over the image's own",
        "take torch and torchvision out of your requirements, or pin both to one release; then {train}",
        (
            r"operator torchvision::nms does not exist",
            r"Couldn't load custom C\+\+ ops",
            r"partially initialized module 'torchvision' has no attribute 'extension'",
            r"PyTorch and torchvision (were|has been) compiled with different CUDA",
            r"torchvision \S+ and torch \S+ do not fit together",
        ),
    ),
    Class(
        "binary-mismatch",
        "a package was built for another NumPy or another system library",
        "take numpy out of your requirements, so that the image's own stays; then {train}",
        (
            r"numpy\.dtype size changed",
            r"numpy\.core\.multiarray failed to import",
            r"A module that was compiled using NumPy 1\.x cannot be run in",
            r"^ImportError: .*\.so(\.\d+)*: (undefined symbol|cannot open shared object file)",
            r"version `GLIBC\S*' not found",
        ),
    ),
    Class(
        "module",
        "a module is missing in the kernel",
        "name its package under dependencies in pyproject.toml, or in an extra of kaggle.install; then {train}",
        (
            r"^ModuleNotFoundError: No module named",
            r"ModuleNotFoundError: No module named",
            r"^\S*python\S*: No module named \S+",
            r"the trainer cannot be imported: ",
        ),
        follows=("no-internet", "dependencies"),
    ),
    Class(
        "code-fetch",
        "the kernel could not fetch the code",
        "{train} --transport embed, which needs no network",
        (
            r"the code could not be fetched",
            r"^fatal: (could not read (Username|Password)|unable to access '|Authentication failed for)",
            r"^remote: Repository not found",
            r"^fatal: remote error: upload-pack: not our ref",
            r"the dataset \S+ (is not attached: it|holds neither archive)",
        ),
    ),
    Class(
        "code-changed",
        "what arrived is not the code that was sent",
        "{train} again; with --transport fetch somebody may have rewritten the ref",
        (
            r"the archive was changed on the way",
            r"^what arrived is tree ",
            r"^commit \S+ with tree \S+ arrived, sent was",
            r"the carried containerid cannot be unpacked",
        ),
    ),
)
