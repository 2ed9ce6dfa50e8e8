-- Description: people who can sign in

CREATE TABLE users (
    id integer PRIMARY KEY,
    name text NOT NULL
);
