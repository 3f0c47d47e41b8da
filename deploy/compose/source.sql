-- Runs once, when the source's volume is new: a table to watch.
CREATE TABLE orders (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL,
  amount   numeric(12, 2) NOT NULL,
  status   text NOT NULL DEFAULT 'new'
);
