"""Files of a data folder as older versions left them."""

import sqlite3
from pathlib import Path

_BEFORE = {  # as version 0.2.0 made its files before they told their state, and 0.1.0 its queue
    "queue": """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT, state TEXT, step TEXT, share REAL,
            message TEXT, version TEXT, created REAL, started REAL, finished REAL, tries INTEGER,
            is_cancelled INTEGER DEFAULT 0);
        CREATE TABLE changed
            (project TEXT, annotation TEXT, PRIMARY KEY (project, annotation));
        INSERT INTO jobs VALUES
            (3, '14', 'running', 'train', 0.5, '', '', 1.0, 2.0, NULL, 1, 0),
            (5, '14', 'queued', '', 0, '', '', 3.0, NULL, NULL, 0, 0);""",
    "jobs": """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT, state TEXT, step TEXT, share REAL,
            message TEXT, version TEXT, created REAL, started REAL, finished REAL, tries INTEGER,
            is_cancelled INTEGER DEFAULT 0);
        CREATE TABLE changed
            (project TEXT, annotation TEXT, PRIMARY KEY (project, annotation));
        CREATE TABLE projects (project TEXT PRIMARY KEY);
        INSERT INTO jobs VALUES
            (3, '14', 'running', 'train', 0.5, '', '', 1.0, 2.0, NULL, 1, 0),
            (5, '14', 'queued', '', 0, '', '', 3.0, NULL, NULL, 0, 0);
        INSERT INTO projects VALUES ('14');""",
    "regions": """
        CREATE TABLE begun (point TEXT PRIMARY KEY, version TEXT, at REAL);
        CREATE TABLE edited (
            task TEXT, region TEXT, points TEXT, stamp TEXT, prior BLOB, answer BLOB, at REAL,
            PRIMARY KEY (task, region));
        INSERT INTO begun VALUES ('p1', 'v1', 1.0);""",
    "answers": """
        CREATE TABLE begun (point TEXT PRIMARY KEY, version TEXT, at REAL);
        CREATE TABLE answered (
            task TEXT, place TEXT, annotation TEXT, object TEXT, prior BLOB, at REAL,
            PRIMARY KEY (task, place, annotation, object));
        CREATE TABLE answered_objects (
            task TEXT, place TEXT, annotation TEXT, object TEXT, regions TEXT, labels TEXT,
            placed TEXT, alike_to TEXT, stamp TEXT, is_new INTEGER, is_left INTEGER, prior BLOB,
            answer BLOB, shown BLOB, at REAL,
            PRIMARY KEY (task, place, annotation, object));
        INSERT INTO answered_objects VALUES
            ('14/7', '64x64 0 image brush', 'new', 'r1', '["r1"]', '["Cat"]', '[]', '[]', '', 1, 0,
             NULL, x'00', x'00', 5.0),
            ('14/7', '64x64 0 image brush', 'new', 'r0', '["r0"]', '["Cat"]', '[]', '[]', '', 1, 0,
             NULL, x'00', x'00', 5.0);""",
    "sessions": """
        CREATE TABLE masks (key TEXT PRIMARY KEY, packed BLOB);
        CREATE TABLE answers (
            id INTEGER PRIMARY KEY, at REAL, project TEXT, task TEXT, image TEXT, width INTEGER,
            height INTEGER, label TEXT, version TEXT, points TEXT, clicks TEXT, regions TEXT,
            prior TEXT, answer TEXT);
        CREATE INDEX answers_task ON answers (project, task);
        CREATE TABLE saves (
            id INTEGER PRIMARY KEY, at REAL, project TEXT, task TEXT, annotation TEXT,
            action TEXT);
        CREATE TABLE finals (save INTEGER, region TEXT, label TEXT, mask TEXT);
        CREATE INDEX finals_save ON finals (save);
        INSERT INTO saves VALUES (1, 1.0, '3', '7', '5', 'ANNOTATION_CREATED');
        INSERT INTO finals VALUES (1, 'rz', 'Cat', NULL), (1, 'ra', 'Dog', NULL);""",
}


def old_file(folder: Path, name: str) -> Path:
    """Make one."""
    path = folder / f"{name}.sqlite3"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(_BEFORE[name])
    database.close()
    return path
