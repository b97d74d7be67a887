-- Whoever asks what changed since a moment begins at the block that was made then.
create index chain_block_time on chain_block (company_id, at, seq);
