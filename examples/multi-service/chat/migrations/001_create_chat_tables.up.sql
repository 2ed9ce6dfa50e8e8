-- Description: rooms, their members and messages
-- migrate: requires discovery:001

CREATE TABLE chat_rooms (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL
);

CREATE TABLE room_members (
    room_id bigint NOT NULL REFERENCES chat_rooms (id),
    user_id bigint NOT NULL,
    PRIMARY KEY (room_id, user_id)
);

CREATE TABLE messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id bigint NOT NULL REFERENCES chat_rooms (id),
    user_id bigint NOT NULL,
    text text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE message_reads (
    message_id bigint NOT NULL REFERENCES messages (id),
    user_id bigint NOT NULL,
    PRIMARY KEY (message_id, user_id)
);
