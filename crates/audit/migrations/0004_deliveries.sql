-- What is due of one webhook is looked for by itself: one that is far behind does not stand in the way of others.
CREATE INDEX deliveries_of_webhook_by_due ON deliveries (webhook_id, due);
