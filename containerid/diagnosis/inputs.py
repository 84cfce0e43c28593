"""What did not arrive: the data."""

from containerid.diagnosis.entry import Class

DATA = (
    Class(
        "dvc-expired",
        "the Google credentials for DVC have run out; those of an app in Google's state `Testing` last seven days",
        "dvc pull here signs in anew; then {train}",
        (
            r"invalid_grant",
            r"Token has been expired or revoked",
            r"google\.auth\.exceptions\.RefreshError",
            r"Access token refresh failed",
        ),
    ),
    Class(
        "dvc-credentials",
        "DVC has no credentials for its remote, or the remote does not take them",
        "dvc pull here, then {train} --data FOLDER, which sends the folder as a private dataset",
        (
            r"there are no credentials for the DVC remote",
            r"Failed to authenticate GDrive",
            r"GDriveAuthError",
            r"Unable to locate credentials",
            r"GDRIVE_CREDENTIALS_DATA.{0,60}(missing|not set|empty|invalid)",
            r"ERROR: (unexpected error - |failed to .* - )?(Forbidden|Unauthorized|Access ?Denied|HttpError 40[13])",
            r"dvc pull .* failed: .*([Aa]uthenticat|[Cc]redential|[Ff]orbidden|[Uu]nauthorized)",
        ),
    ),
    Class(
        "dvc-missing",
        "files of the set are not on the DVC remote",
        "dvc push here, dvc status -c shows nothing then; after it: {train}",
        (
            r"Checkout failed for following targets",
            r"cache files do not exist neither locally",
            r"missing-files>?$",
            r"Can't find '.*' neither locally nor on remote",
            r"dvc pull .* failed: \d+ files? failed to download",
        ),
    ),
    Class(
        "dvc",
        "DVC could not bring the data",
        "dvc pull and dvc status -c here tell more",
        (
            r"^ERROR: failed to (pull|fetch) data from the cloud",
            r"^ERROR: (config file error|you are not inside of a DVC repository|unexpected error)",
            r"dvc pull .* failed: ",
            r"is no DVC project, so .* cannot be pulled",
        ),
    ),
    Class(
        "data-changed",
        "the data on the far side is not what was submitted",
        "{train} with the data as it is now",
        (r"the data in \S+ is not what was submitted",),
    ),
    Class(
        "no-data",
        "the data is not there: the dataset is not attached, or the path is wrong",
        "check owner/slug and that your account may read it; then {train} --data OWNER/SLUG",
        (
            r"the Kaggle dataset \S+ is not attached",
            r"the data folder .* is not there",
            r"No such file or directory: '/kaggle/input/",
            r"Dataset '.*' (error .*)?images not found, missing path",
            r"'(train|val|test):' images not found",
            r"Error loading data from /kaggle/input",
            r"^(FileNotFoundError: )?.*/kaggle/input/\S* does not exist",
        ),
    ),
    Class(
        "labels",
        "labels or images cannot be used",
        "mend the lines that are named; cid data check finds all that is wrong",
        (
            r"the data cannot be used: ",
            r"No valid images found in ",
            r"^(ValueError: )?.*No labels found in .*(can not|cannot) (start|train)",
            r"^ValueError: .*No labels found in ",
            r"^AssertionError: .*[Ll]abel class \d+ exceeds",
            r"^\S+\.txt:\d+: error: ",
        ),
    ),
    Class(
        "data-yaml",
        "data.yaml cannot be used",
        "mend it: it needs `train:`, `val:` and `names:`; cid data check finds all that is wrong",
        (
            r"Dataset '.*' error ",
            r"the data holds no data\.yaml",
            r"data\.yaml:\d+: ",
            r"^(SyntaxError: )?.*\.yaml '?(names|nc|train:?|val:?)'? .*(key missing|are required|must match)",
            r"^yaml\.(scanner|parser)\.\w+Error",
        ),
    ),
)
