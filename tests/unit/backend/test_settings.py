import logging
from pathlib import Path

import pytest

from backend.environment.gone import GONE
from backend.environment.table import rows
from backend.settings import Settings
from mfp_model.errors import ConfigError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()
    assert Settings().data_dir == Path("~/.local/share/label-studio-mfp").expanduser()


def test_every_field_has_a_variable(tmp_path: Path) -> None:
    checkpoint = tmp_path / "w"
    checkpoint.touch()
    settings = Settings.from_env(
        {
            "LABEL_STUDIO_URL": "https://labels.example/",
            "LABEL_STUDIO_API_KEY": "key",
            "MFP_CHECKPOINT": str(checkpoint),
            "MFP_DEVICE": "cpu",
            "MFP_TORCH_THREADS": "3",
            "MFP_MAX_MEGAPIXELS": "12",
            "MFP_MAX_IMAGE_MB": "9",
            "MFP_USERNAME": "team",
            "MFP_PASSWORD": "secret",
            "MFP_ALLOW_OPEN": "yes",
            "MFP_ALLOWED_HOSTS": "mfp.example",
            "MFP_MAX_REQUEST_MB": "3",
            "MFP_MAX_WAITING": "4",
            "MFP_LOG_FORMAT": "json",
            "LABEL_STUDIO_PUBLIC_URL": "https://public.example/",
            "MFP_FETCH_TOTAL_S": "30",
            "MFP_IMAGE_HOSTS": "*.example.com, images.example",
            "MFP_PRIVATE_NETWORKS": "10.0.0.0/8,fd00::/8",
            "SSL_CERT_FILE": str(checkpoint),
            "MFP_LABEL_STUDIO_DATA_DIR": str(tmp_path),
            "MFP_LOCAL_FILES_DIR": str(tmp_path),
            "MFP_POLYGON_ERROR_PX": "0.5",
            "MFP_DATA_DIR": str(tmp_path),
            "MFP_MEMORY_MB": "600",
            "MFP_SESSIONS_MB": "50",
            "MFP_SEGMENTER": "unet, 14:graph-cut",
            "MFP_ENGINE": "pytorch",
            "MFP_DATABASE_URL": "postgresql://mfp:word@database:5432/mfp",
            "MFP_BUCKET": "s3://mfp/models/",
            "MFP_TRAIN_EVERY": "20, 14:0",
            "MFP_TRAIN_SAMPLES": "100",
            "MFP_TRAIN_REPLAY": f"{tmp_path}:{tmp_path}",
        }
    )
    assert settings.label_studio_url == "https://labels.example"
    assert settings.image_hosts == ("*.example.com", "images.example")
    assert settings.asks_for_password
    assert settings.places[1:] == (
        "postgresql://mfp:word@database:5432/mfp",
        "s3://mfp/models",
    )
    assert settings.segmenter == {"": "unet", "14": "graph-cut"}
    assert settings.train_every == {"": 20, "14": 0}
    assert settings.train_replay == (tmp_path, tmp_path)
    changed = [
        name for name in Settings.__slots__ if getattr(settings, name) == getattr(Settings(), name)
    ]
    assert changed == []


def test_hosts_may_be_names_addresses_and_patterns() -> None:
    hosts = (
        "*.Example.com, my_host, 10.0.0.7, ::1, [2001:db8::7], 2001:db8:*, xn--bcher-kva.example"
    )
    read = Settings.from_env({"MFP_IMAGE_HOSTS": hosts}).image_hosts
    assert read == tuple(hosts.lower().split(", "))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MFP_MAX_MEGAPIXELS", "many", "expected a number"),
        ("MFP_MAX_MEGAPIXELS", "nan", "expected"),
        ("MFP_MAX_IMAGE_MB", "inf", "expected a number"),
        ("MFP_MEMORY_MB", "-1", "1 <= value"),
        ("MFP_MAX_WAITING", "2.5", "expected a whole number"),
        ("MFP_MAX_WAITING", "9" * 400, "expected a whole number"),
        ("MFP_MAX_WAITING", "10001", "1 <= value <= 10000"),
        ("MFP_TORCH_THREADS", "1025", "0 <= value <= 1024"),
        ("MFP_TRAIN_EVERY", "14:1000000001", "0 <= value <= 1000000000"),
        ("MFP_TRAIN_SAMPLES", "1000000001", "0 <= value <= 1000000000"),
        *(
            (name, "1e303", "<= value <= 1000000000")
            for name in (
                "MFP_MAX_REQUEST_MB",
                "MFP_MEMORY_MB",
                "MFP_MAX_IMAGE_MB",
                "MFP_FETCH_TOTAL_S",
                "MFP_SESSIONS_MB",
                "MFP_POLYGON_ERROR_PX",
            )
        ),
        ("MFP_DEVICE", "tpu", "auto, cpu, cuda or cuda:N"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "no such file"),
        ("LABEL_STUDIO_URL", "labels.example", "expected http"),
        ("MFP_IMAGE_HOSTS", "*.bücher.example", "beginning with xn--"),
        ("MFP_CHECKPOINT", "/nowhere/w", "no such file"),
        ("MFP_LABEL_STUDIO_DATA_DIR", "/nowhere", "no such folder"),
        ("MFP_PRIVATE_NETWORKS", "10.0.0.1/8", "ranges such as"),
        ("MFP_ALLOW_OPEN", "maybe", "true or false"),
        ("MFP_LOG_FORMAT", "xml", "text, json"),
        ("MFP_TRAIN_EVERY", "often", "expected N or PROJECT:N"),
        ("MFP_TRAIN_REPLAY", "/nowhere", "no such folder"),
        ("MFP_SEGMENTER", "sam", "expected one of mfp"),
        ("MFP_SEGMENTER", "x:unet", "PROJECT:VALUE"),
        ("MFP_USERNAME", "me", "MFP_PASSWORD: expected both"),
        ("LABEL_STUDIO_URL", "http://labels.example/projects?page=2", "no user, blank"),
        ("LABEL_STUDIO_URL", "http://labels.example/#top", "no user, blank"),
        ("LABEL_STUDIO_API_KEY", "“abc”", "ASCII without blanks"),
        ("LABEL_STUDIO_API_KEY", "abc\ndef", "ASCII without blanks"),
        ("MFP_IMAGE_HOSTS", "https://images.example", "hosts such as images.example"),
        ("MFP_IMAGE_HOSTS", "images.example:443", "hosts such as images.example"),
        ("MFP_ALLOWED_HOSTS", "a.example b.example", "hosts such as"),
        ("MFP_DATA_DIR", "~nobody-of-that-name/x", "nobody knows that home folder"),
        ("MFP_CHECKPOINT", "w" * 300, "File name too long; expected a file"),
        ("MFP_TRAIN_EVERY", "14:50, 014:60", "'014' stands there twice"),
        ("MFP_DATABASE_URL", "postgresql://host:/name", "user, password, host, port"),
        ("MFP_CONFIG", ".", "expected a TOML file"),
        ("MFP_CONFIG", "~nobody-of-that-name/x", "nobody knows that home folder"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*{message}"):
        Settings.from_env({name: value})


def test_a_refused_value_shows_no_password_and_no_thousand_letters() -> None:
    for password in ("word", "pass/word", "p@ss/w@rd"):
        url = f"http://me:{password}@labels.example"
        with pytest.raises(ConfigError, match="LABEL_STUDIO_URL='http://…@labels.example'"):
            Settings.from_env({"LABEL_STUDIO_URL": url})
    with pytest.raises(ConfigError) as refused:
        Settings.from_env({"MFP_MAX_WAITING": "9" * 5000})
    assert len(str(refused.value)) < 300


def test_a_user_without_a_home_names_a_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(ConfigError, match="MFP_DATA_DIR=.*no home folder; name another"):
        Settings.from_env({})
    assert Settings.from_env({"MFP_DATA_DIR": "/data"}).data_dir == Path("/data")


def test_image_hosts_are_patterns_names_and_addresses() -> None:
    hosts = "*.Example.com, a-b_c.example, 10.0.0.1, fd00::1, [FD00::2], fd00::*, *"
    assert Settings.from_env({"MFP_IMAGE_HOSTS": hosts}).image_hosts == (
        *("*.example.com", "a-b_c.example", "10.0.0.1", "fd00::1", "[fd00::2]", "fd00::*", "*"),
    )


def _file(tmp_path: Path, content: str) -> dict[str, str]:
    path = tmp_path / "mfp.toml"
    path.write_text(content)
    return {"MFP_CONFIG": str(path)}


def test_a_file_gives_every_kind_of_value(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "w").touch()
    settings = Settings.from_env(
        _file(
            tmp_path,
            """
            label_studio_url = "https://labels.example/"
            allow_open = true
            max_waiting = 4
            max_image_mb = 9
            polygon_error_px = 0.5
            checkpoint = "w"
            train_replay = ["more"]
            image_hosts = ["Images.example"]
            private_networks = ["10.0.0.0/8"]
            train_every = 20
            [segmenter]
            default = "unet"
            14 = "graph-cut"
            """,
        )
    )
    assert settings.label_studio_url == "https://labels.example"
    assert settings.allows_open
    assert (settings.max_waiting, settings.max_image_mb) == (4, 9.0)
    assert settings.polygon_error_px == 0.5
    assert settings.checkpoint == tmp_path / "w"
    assert settings.train_replay == (tmp_path / "more",)
    assert settings.image_hosts == ("images.example",)
    assert [str(network) for network in settings.private_networks] == ["10.0.0.0/8"]
    assert settings.train_every == {"": 20}
    assert settings.segmenter == {"": "unet", "14": "graph-cut"}


def test_a_variable_wins_over_the_file_unless_it_is_empty(tmp_path: Path) -> None:
    environ = _file(tmp_path, "max_waiting = 4\nmax_image_mb = 9")
    environ |= {"MFP_MAX_WAITING": "5", "MFP_MAX_IMAGE_MB": " "}
    settings = Settings.from_env(environ)
    assert (settings.max_waiting, settings.max_image_mb) == (5, 9.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_waiting = 'many'", r"max_waiting = 'many': expected a whole number, 1 <= value"),
        ("max_waiting = true", "max_waiting = True: expected a whole number"),
        ("max_waiting = 2.5", "max_waiting = 2.5: expected a whole number"),
        ("max_image_mb = inf", "max_image_mb = inf: expected a number"),
        ("max_image_mb = '9'", "max_image_mb = '9': expected a number"),
        ("allow_open = 1", "allow_open = 1: expected true or false"),
        ("device = ['cpu']", "device = .*: expected auto, cpu, cuda or cuda:N"),
        ("image_hosts = 'a'", "image_hosts = 'a': expected a list, each a host"),
        ("image_hosts = ['a', 1]", "expected a list, each a host"),
        ("private_networks = ['10.0.0.1/8']", "expected a list, each a range"),
        ("data_dir = ''", "data_dir = '': expected a folder"),
        ('data_dir = "a\\u0000b"', "data_dir = .*: expected a folder"),
        ("train_every = '14:50'", "expected N, or a table of N by project"),
        (f"memory_mb = 1{'0' * 400}", "expected a number"),
        ("checkpoint = 'nowhere'", "checkpoint = 'nowhere': no such file"),
        ("password = 4711", "password = …: expected text"),
        ("segmenter = { x = 'unet' }", "'x' is no project's number"),
        (
            "segmenter = { 7 = 'sam' }",
            "'sam': expected one of mfp.*expected VALUE, or a table of VALUE by project",
        ),
        ("max_wating = 4", r"max_wating: no such setting; did you mean max_waiting\?"),
        ("cache_dir = 'x'", "cache_dir is gone: .*MFP_DATA_DIR"),
        ("max_waiting = ", "expected a TOML file"),
        pytest.param("a = " + "[" * 5000, r"expected a TOML file \(maximum recur", id="deep"),
    ],
)
def test_a_bad_value_of_the_file_is_refused_by_file_and_key(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=rf"mfp\.toml.*{message}"):
        Settings.from_env(_file(tmp_path, content))


def test_a_file_may_begin_with_the_mark_of_its_encoding(tmp_path: Path) -> None:
    assert Settings.from_env(_file(tmp_path, "\ufeffmax_waiting = 4")).max_waiting == 4


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"MFP_CONFIG=.*nowhere.*No such file"):
        Settings.from_env({"MFP_CONFIG": str(tmp_path / "nowhere.toml")})


@pytest.mark.parametrize("name", sorted(GONE))
def test_a_setting_that_is_gone_says_what_to_do(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is gone: "):
        Settings.from_env({name: "1"})
    assert name not in rows(Settings)


def test_a_variable_that_is_nearly_a_setting_gets_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        Settings.from_env({"MFP_MAX_WATING": "3", "MFP_SCREENSHOTS": "here", "PATH": "/bin"})
    (record,) = caplog.records
    assert record.getMessage().endswith("did you mean MFP_MAX_WAITING?")


def test_the_memory_is_divided_without_a_rest() -> None:
    settings = Settings(memory_mb=600)
    assert (settings.images_bytes, settings.clicks_bytes) == (100_000_000, 50_000_000)
    assert settings.models_bytes == 450_000_000


def test_constants_of_a_graph_cut_are_used_where_they_were_placed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.graph_cut_constants("rgb") is None
    (tmp_path / "graph-cut").mkdir()
    (tmp_path / "graph-cut" / "rgb.json").write_text("{}")
    assert settings.graph_cut_constants("rgb") == tmp_path / "graph-cut" / "rgb.json"


@pytest.mark.parametrize(
    "url",
    ["sqlite:///a.db", "postgresql://host", "mysql://host/name", "postgresql://a:word@host:b/c"],
)
def test_a_database_is_postgresql_and_its_password_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="expected postgresql://…") as refused:
        Settings.from_env({"MFP_DATABASE_URL": url})
    assert url not in str(refused.value)


@pytest.mark.parametrize("url", ["mfp", "s3://", "s3:///", "://mfp", "s 3://mfp"])
def test_a_bucket_has_a_kind_and_a_name(url: str) -> None:
    with pytest.raises(ConfigError, match="MFP_BUCKET=.*expected s3://BUCKET/FOLDER"):
        Settings.from_env({"MFP_BUCKET": url})
