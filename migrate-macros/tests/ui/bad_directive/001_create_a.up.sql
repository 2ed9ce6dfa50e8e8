-- migrate: no-transacton
SELECT 1;
