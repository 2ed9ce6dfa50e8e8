-- Description: when users want to be found

CREATE TABLE user_availability (
    user_id bigint PRIMARY KEY,
    available boolean NOT NULL DEFAULT false,
    available_until timestamptz
);
