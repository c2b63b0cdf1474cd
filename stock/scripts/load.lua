-- Writes a count that was read from the order database, unless the stock changed since.
-- KEYS  1 stock {generation, units}   2 the loader's token
-- ARGV  1 token   2 generation   3 units   4 stock's time to live (ms)
-- Whoever changes the stock deletes the token, so a token that is still there proves that the count
-- is not stale.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'stale' end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'units', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 'loaded'
