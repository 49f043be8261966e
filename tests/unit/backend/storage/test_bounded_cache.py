import threading

from backend.storage.bounded_cache import BoundedCache


def test_the_least_recently_used_goes_first() -> None:
    cache: BoundedCache[str, int] = BoundedCache(max_bytes=30, max_age_s=100)
    for value, key in enumerate("abc"):
        cache.put(key, value, 10)
    assert cache.get("a") == 0
    cache.put("d", 3, 10)
    assert cache.get("b") is None
    assert cache.get("a") == 0
    assert cache.n_bytes == 30


def test_what_is_too_large_is_not_kept_and_replaces_nothing_else() -> None:
    cache: BoundedCache[str, int] = BoundedCache(max_bytes=30, max_age_s=100)
    cache.put("a", 1, 20)
    cache.put("b", 2, 31)
    assert cache.get("b") is None
    assert cache.get("a") == 1


def test_old_entries_go() -> None:
    now = [0.0]
    cache: BoundedCache[str, int] = BoundedCache(max_bytes=30, max_age_s=10, clock=lambda: now[0])
    cache.put("a", 1, 1)
    now[0] = 9
    assert cache.get("a") == 1
    now[0] = 10.5
    assert cache.get("a") is None
    assert cache.n_bytes == 0


def test_a_key_put_again_counts_once() -> None:
    cache: BoundedCache[str, int] = BoundedCache(max_bytes=30, max_age_s=10)
    cache.put("a", 1, 10)
    cache.put("a", 2, 20)
    assert cache.n_bytes == 20
    cache.clear()
    assert len(cache) == cache.n_bytes == 0


def test_threads_never_exceed_the_bound() -> None:
    cache: BoundedCache[int, int] = BoundedCache(max_bytes=50, max_age_s=10)

    def work(start: int) -> None:
        for key in range(start, start + 500):
            cache.put(key % 40, key, key % 13)
            cache.get((key * 7) % 40)
            assert cache.n_bytes <= 50

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.n_bytes <= 50
