-- Writes a count that was read from the order database, unless the stock changed since.
-- KEYS  1 count   2 the loader's token
-- ARGV  1 epoch   2 token   3 generation   4 version   5 units   6 count's time to live (ms)
--       7 epoch in which the row was read   8 limit of units for each customer, 0 for none
-- Whoever changes the stock deletes the token, so a token that is still there proves that the count
-- is not stale.
local _, outdated = read_count(KEYS[1])
if outdated then return 'outdated' end
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 'stale' end
redis.call('DEL', KEYS[2])
if ARGV[7] ~= epoch then return 'stale' end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'generation', ARGV[3], 'version', ARGV[4], 'units', ARGV[5])
if ARGV[8] ~= '0' then redis.call('HSET', KEYS[1], 'limit', ARGV[8]) end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 'loaded'
