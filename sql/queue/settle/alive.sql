-- A supervisor is at work: what mula makes while it is back is newer than this.
INSERT INTO rota_alive (at) VALUES (now()) ON CONFLICT (one) DO UPDATE SET at = now()
