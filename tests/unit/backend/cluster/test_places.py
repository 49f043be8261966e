from __future__ import annotations

from backend.cluster.places import without_secrets
from backend.settings import Settings


def test_settings_with_a_password_can_be_sent_and_have_none() -> None:
    settings = Settings(
        label_studio_url="http://localhost:8080",
        label_studio_api_key="secret-token",
        username="team",
        password="secret-word",
        database_url="postgresql://mfp:secret@database/mfp",
        max_waiting=7,
    )
    sent = without_secrets(settings)
    assert "secret" not in str(sent)
    assert not sent.asks_for_password
    assert (sent.label_studio_url, sent.max_waiting) == (settings.label_studio_url, 7)
