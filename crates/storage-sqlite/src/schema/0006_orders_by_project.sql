-- Pending orders by project, so that one with many does not hide the others.
DROP INDEX orders_pending;
CREATE INDEX orders_pending ON orders (place, creation) WHERE state = 0;
