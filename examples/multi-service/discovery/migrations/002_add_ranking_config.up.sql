CREATE TABLE ranking_config (
    name text PRIMARY KEY,
    weight double precision NOT NULL
);

INSERT INTO ranking_config (name, weight) VALUES ('distance', 0.6), ('activity', 0.4);
