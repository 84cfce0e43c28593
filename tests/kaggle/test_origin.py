import pytest

from containerid.errors import UsageError
from containerid.kaggle.origin import KAGGLE, at, read


def test_kaggle_itself_unless_told_otherwise():
    assert read({}) is KAGGLE
    assert read({"CID_KAGGLE_URL": "  "}) is KAGGLE
    assert KAGGLE.api == "https://api.kaggle.com/v1/"


@pytest.mark.parametrize(
    ("address", "api"),
    [
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765/api/v1/"),
        ("http://localhost/", "http://localhost/api/v1/"),
        ("http://[::1]:80", "http://[::1]:80/api/v1/"),
        ("http://127.9.9.9", "http://127.9.9.9/api/v1/"),
        ("https://kaggle.example.org", "https://kaggle.example.org/api/v1/"),
    ],
)
def test_another_origin_gets_the_path_of_the_api(address, api):
    assert read({"CID_KAGGLE_URL": address}).api == api


@pytest.mark.parametrize(
    "address",
    [
        "http://kaggle.example.org",
        "http://192.168.0.7:80",
        "http://localhost.example.org",
        "ftp://localhost",
        "localhost:80",
        "http://127.0.0.1/api/v1",
        "http://user:pass@127.0.0.1",
        "http://127.0.0.1?x=1",
        "http://127.0.0.1:port",
        "http://[::1",
        "//127.0.0.1",
    ],
)
def test_credentials_go_over_https_or_stay_on_this_machine(address):
    with pytest.raises(UsageError, match="CID_KAGGLE_URL") as caught:
        read({"CID_KAGGLE_URL": address})
    assert "pass" not in caught.value.message


KNOWN = [
    "https://storage.googleapis.com/kaggle-script-versions/1/output/best.pt?X-Goog-Signature=1",
    "https://www.kaggleusercontent.com/kf/1/a.txt",
    "https://www.kaggle.com/x",
    "https://kaggle.com/x",
    "https://storage.googleapis.com:443/x",
]
UNKNOWN = [
    "http://storage.googleapis.com/x",
    "https://storage.googleapis.com.evil.example/x",
    "https://evilkaggle.com/x",
    "https://kaggleusercontent.com.evil.example/x",
    "https://user@storage.googleapis.com/x",
    "https://storage.googleapis.com:8443/x",
    "https://www.googleapis.com/upload/storage/v1/b/kaggle-data-sets/o",
    "https://169.254.169.254/latest",
    "http://127.0.0.1:80/x",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("url", KNOWN)
def test_files_come_from_known_hosts(url):
    assert KAGGLE.may_hold_files(url)
    assert at("http://127.0.0.1:8765").may_hold_files(url)


@pytest.mark.parametrize("url", UNKNOWN)
def test_files_come_from_nowhere_else(url):
    assert not KAGGLE.may_hold_files(url)


def test_another_origin_may_hold_its_own_files_and_no_neighbours():
    ours = at("http://127.0.0.1:8765")
    assert ours.may_hold_files("http://127.0.0.1:8765/files/x")
    assert not ours.may_hold_files("http://127.0.0.1:8766/files/x")
    assert not ours.may_hold_files("http://localhost:8765/files/x")


def test_uploads_go_where_kaggles_links_point():
    upload = "https://www.googleapis.com/upload/storage/v1/b/kaggle-data-sets/o?uploadType=resumable&upload_id=1"
    assert KAGGLE.may_hold_files(upload, upload=True)
    assert not KAGGLE.may_hold_files("https://www.googleapis.example/upload", upload=True)
