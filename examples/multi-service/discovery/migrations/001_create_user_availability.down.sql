DROP TABLE user_availability;
