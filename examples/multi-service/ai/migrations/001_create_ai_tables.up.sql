CREATE TABLE ai_conversations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ai_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversation_id bigint NOT NULL REFERENCES ai_conversations (id),
    prompt text NOT NULL
);

CREATE TABLE ai_responses (
    request_id bigint PRIMARY KEY REFERENCES ai_requests (id),
    text text NOT NULL
);

CREATE TABLE ai_usage_stats (
    user_id bigint NOT NULL,
    day date NOT NULL,
    requests integer NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, day)
);
