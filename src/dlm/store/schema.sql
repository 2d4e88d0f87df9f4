-- Every table of a store, as the statements that made it. What stands here is never changed once
-- released: a store that has made the first n steps makes the others when it is next opened.
-- A new step goes at the end.

-- step 1: versions, runs, and what each version remembers
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    dlm_id TEXT NOT NULL,
    base_model TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_number INTEGER NOT NULL,
    pending_number INTEGER
);
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    base_key TEXT NOT NULL,
    base_fingerprint TEXT NOT NULL,
    document_sha256 TEXT NOT NULL,
    document_path TEXT NOT NULL,
    mode TEXT NOT NULL,
    config TEXT NOT NULL CHECK (json_valid(config)),
    figures TEXT NOT NULL CHECK (json_valid(figures)),
    stop_reason TEXT NOT NULL,
    steps INTEGER NOT NULL,
    seconds REAL NOT NULL
);
CREATE TABLE versions (
    number INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL,
    created_at TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs,
    parent INTEGER
);
CREATE TABLE current (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL REFERENCES versions
);
CREATE TABLE pointer_log (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    from_number INTEGER,
    to_number INTEGER NOT NULL,
    why TEXT NOT NULL
);
CREATE TABLE items (
    item_id TEXT PRIMARY KEY,
    question TEXT,
    text TEXT NOT NULL
);
CREATE TABLE memory (
    number INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    place INTEGER NOT NULL,
    item_id TEXT NOT NULL REFERENCES items,
    section_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    line INTEGER NOT NULL,
    since INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    nll REAL,
    exact INTEGER,
    PRIMARY KEY (number, item_id)
);

-- step 2: what trainings measured
CREATE TABLE metric_runs (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    mode TEXT NOT NULL,
    base_key TEXT NOT NULL,
    document_path TEXT NOT NULL,
    started_at TEXT NOT NULL,
    planned_steps INTEGER NOT NULL,
    ended_at TEXT,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    version INTEGER
);
CREATE TABLE metric_steps (
    run INTEGER NOT NULL REFERENCES metric_runs ON DELETE CASCADE,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    loss REAL,
    learning_rate REAL NOT NULL,
    tokens INTEGER NOT NULL,
    tokens_per_second REAL NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, step)
);
CREATE TABLE metric_evaluations (
    run INTEGER NOT NULL REFERENCES metric_runs ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seconds REAL NOT NULL,
    figures TEXT NOT NULL CHECK (json_valid(figures)),
    PRIMARY KEY (run, epoch)
);

-- step 3: scorecards
CREATE TABLE scorecards (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    document_sha256 TEXT NOT NULL,
    measured_at TEXT NOT NULL,
    card TEXT NOT NULL CHECK (json_valid(card)),
    UNIQUE (number, document_sha256)
);
CREATE TABLE scorecard_items (
    scorecard INTEGER NOT NULL REFERENCES scorecards ON DELETE CASCADE,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    question TEXT NOT NULL,
    is_right INTEGER,
    item TEXT NOT NULL CHECK (json_valid(item)),
    PRIMARY KEY (scorecard, position)
);

-- step 4: plans that wait, and edits that were made
CREATE TABLE staged_plans (
    run TEXT PRIMARY KEY,
    origin TEXT NOT NULL,
    created_at TEXT NOT NULL,
    plan TEXT NOT NULL CHECK (json_valid(plan))
);
CREATE TABLE document_edits (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    origin TEXT NOT NULL,
    made_by TEXT NOT NULL,
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    added TEXT NOT NULL CHECK (json_valid(added)),
    removed TEXT NOT NULL CHECK (json_valid(removed)),
    before_sha256 TEXT NOT NULL,
    after_sha256 TEXT NOT NULL
);

-- step 5: what teachers answered
CREATE TABLE completions (
    key TEXT PRIMARY KEY,
    teacher TEXT NOT NULL,
    created_at TEXT NOT NULL,
    texts TEXT NOT NULL CHECK (json_valid(texts))
);

-- step 6: probes that were pushed
CREATE TABLE probe_queue (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    probe_id TEXT NOT NULL UNIQUE,
    prompt TEXT NOT NULL,
    reference TEXT NOT NULL,
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    pushed_at TEXT NOT NULL,
    run TEXT,
    put_back INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT ''
);

-- step 7: improving: teachers, runs and rounds
CREATE TABLE document_texts (
    sha256 TEXT PRIMARY KEY,
    text BLOB NOT NULL
);
CREATE TABLE teachers (
    number INTEGER PRIMARY KEY,
    spec TEXT NOT NULL,
    version INTEGER,
    current INTEGER,
    base_key TEXT NOT NULL,
    score REAL,
    asked INTEGER,
    document_sha256 TEXT NOT NULL REFERENCES document_texts,
    at TEXT NOT NULL,
    why TEXT NOT NULL,
    round TEXT NOT NULL
);
CREATE TABLE serving_teacher (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL REFERENCES teachers
);
CREATE TABLE improve_runs (
    id INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    options TEXT NOT NULL CHECK (json_valid(options)),
    ended_at TEXT,
    outcome TEXT NOT NULL
);
CREATE TABLE improve_rounds (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES improve_runs ON DELETE CASCADE,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    step TEXT NOT NULL,
    teacher TEXT NOT NULL,
    strategy TEXT NOT NULL,
    document_sha256 TEXT NOT NULL,
    champion INTEGER NOT NULL,
    challenger INTEGER,
    facts TEXT NOT NULL CHECK (json_valid(facts)),
    started_at TEXT NOT NULL,
    ended_at TEXT
);

-- step 8: what syntheses came to
CREATE TABLE synth_runs (
    run TEXT NOT NULL,
    teacher TEXT NOT NULL,
    made_at TEXT NOT NULL,
    document_sha256 TEXT NOT NULL,
    planned INTEGER NOT NULL,
    note TEXT NOT NULL CHECK (json_valid(note)),
    samples TEXT NOT NULL CHECK (json_valid(samples)),
    PRIMARY KEY (run, document_sha256)
);

-- step 9: preference triples
CREATE TABLE taught (
    number INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    triple_id TEXT NOT NULL,
    since INTEGER NOT NULL,
    margin REAL NOT NULL,
    slipped INTEGER NOT NULL,
    PRIMARY KEY (number, triple_id)
);
CREATE TABLE refused_phases (
    number INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    work TEXT NOT NULL,
    reasons TEXT NOT NULL CHECK (json_valid(reasons)),
    PRIMARY KEY (number, work)
);

-- step 10: what is remembered of files beside the document
ALTER TABLE memory ADD COLUMN file TEXT NOT NULL DEFAULT '';
